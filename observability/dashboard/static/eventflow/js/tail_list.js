// The list of the live tail: rows are drawn together, the newest first and few at a time, so that however many come the page
// answers. What is on the page is always the newest without a hole; the older rows follow when there is time for them.
import { isInUse } from "./live.js";

// As many as fill a screen twice.
const AT_ONCE = 60;
// Nobody reads faster. Where drawing takes long, the rest of the page gets most of the time.
const PAUSE_MS = 100;
const SHARE_OF_TIME = 5;

export class TailList {
  #list;
  #maxRows;
  /** Newest first: rows, and what makes a row. The first of them are on the page. */
  #items = [];
  /** How many came since the last draw. */
  #fresh = 0;
  #isDue = false;
  #drawnUntil = 0;

  constructor(list) {
    this.#list = list;
    this.#maxRows = Number(list.dataset.tailRows);
  }

  /** Take in what makes rows, the oldest first; they are drawn in one of the next frames. */
  add(makers) {
    this.#takeStock();
    this.#items = [...[...makers].reverse(), ...this.#items].slice(0, this.#maxRows);
    this.#fresh = Math.min(this.#fresh + makers.length, this.#items.length);
    this.#plan();
  }

  trim() {
    while (this.#list.children.length > this.#maxRows) this.#list.lastElementChild.remove();
  }

  /** What others have brought onto the page or taken from it belongs to the list as well. */
  #takeStock() {
    const shown = [...this.#list.children].filter((row) => !row.matches(".row-detail"));
    const older = this.#items.slice(this.#fresh).filter((item) => !item.isConnected);
    this.#items = [...this.#items.slice(0, this.#fresh), ...shown, ...older].slice(0, this.#maxRows);
  }

  #plan() {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => requestAnimationFrame(() => this.#draw()), Math.max(0, this.#drawnUntil - performance.now()));
  }

  #draw() {
    this.#isDue = false;
    const isHeld = isInUse(this.#list) || this.#list.contains(document.querySelector(":focus-visible"));
    tellWaiting(isHeld ? this.#fresh : 0, this.#maxRows);
    if (isHeld) {
      this.#drawnUntil = performance.now() + PAUSE_MS * SHARE_OF_TIME;
      this.#plan();
      return;
    }
    const began = performance.now();
    this.#takeStock();
    if (this.#fresh > AT_ONCE) this.#list.replaceChildren(...this.#make(0, AT_ONCE));
    else if (this.#fresh > 0) this.#list.prepend(...this.#make(0, this.#fresh));
    else this.#list.append(...this.#make(this.#list.children.length, AT_ONCE));
    this.#fresh = 0;
    this.trim();
    // The browser lays it out now instead of in a moment, so that it counts.
    this.#list.getBoundingClientRect();
    this.#drawnUntil = performance.now() + Math.max(PAUSE_MS, (performance.now() - began) * SHARE_OF_TIME);
    if (this.#list.children.length < this.#items.length) this.#plan();
  }

  #make(start, count) {
    const rows = this.#items.slice(start, start + count).map((item) => (item instanceof Element ? item : item()));
    this.#items.splice(start, rows.length, ...rows);
    return rows;
  }
}

function tellWaiting(count, maxRows) {
  const slot = document.querySelector("[data-tail-waiting]");
  const text = count === 0 ? "" : `${count === maxRows ? `${count} or more` : count} new ${count === 1 ? "event waits" : "events wait"} while you are in the list.`;
  if (slot.textContent !== text) slot.textContent = text;
}
