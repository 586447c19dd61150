// What a person holds from this page: how long it is theirs, that it has run out, and a warning to who leaves before that.
//
// `[data-held]` is a delivery that is held. The server says how many seconds are left, so a browser's clock may be wrong.
import { onContent } from "./dom.js";
import { toast } from "./toasts.js";

const deadlines = new WeakMap();

const held = () => [...document.querySelectorAll("[data-held]")];

function leftOf(seconds) {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const [minutes, rest] = [Math.floor(whole / 60), String(whole % 60).padStart(2, "0")];
  return minutes < 60 ? `${minutes}:${rest} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** It is the group's again: nothing can be said of it here any more. */
function runOut(card) {
  const form = card.querySelector("form");
  const note = card.querySelector("[data-ran-out]");
  const isInUse = form?.contains(document.activeElement);
  delete card.dataset.held;
  card.querySelector("[data-held-note]")?.remove();
  form?.remove();
  note.hidden = false;
  if (isInUse) note.focus();
}

function tick() {
  for (const card of held()) {
    const left = card.querySelector("[data-held-left]");
    if (!deadlines.has(card)) deadlines.set(card, Date.now() + Number(left.dataset.heldLeft) * 1000);
    const seconds = (deadlines.get(card) - Date.now()) / 1000;
    if (seconds <= 0) runOut(card);
    else left.textContent = `, ${leftOf(seconds)} left`;
  }
  const summary = document.querySelector("[data-held-summary]");
  if (summary) summary.hidden = held().length === 0;
}

/** The browser asks in words of its own; who stays is told how to give back what they hold. */
function warn(event) {
  const count = held().length;
  if (!count) return;
  event.preventDefault();
  toast({
    level: "warn", name: "held", lasts: true,
    title: count === 1 ? "You still hold a delivery" : `You still hold ${count} deliveries`,
    text: "Ack what is done and release the rest. If you leave, it goes back when its time is over, and you find it here until then.",
  });
}

export function startHeld() {
  if (!document.querySelector("[data-held-summary]")) return;
  onContent("[data-held]", tick);
  document.addEventListener("htmx:afterSwap", tick);
  setInterval(tick, 1000);
  window.addEventListener("beforeunload", warn);
  tick();
}
