// Rows of the live tail, made from the page's own templates: what the server would have drawn for the same event.
import { writeTime } from "./times.js";
import { marked } from "./unseen.js";

const KEY_CHARACTERS = 96;

const copyOf = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

function fill(row, slot, text) {
  const place = row.querySelector(`[data-slot="${slot}"]`);
  if (place) place.replaceChildren(...marked(String(text)));
}

/** Write a time of an event that most have not, or take its place out. */
function fillTime(row, slot, text) {
  const place = row.querySelector(`[data-slot="${slot}"]`);
  if (!text) return place.remove();
  const time = place.querySelector("time");
  time.dateTime = text;
  writeTime(time);
}

/** An event: `{partition, offset, recorded_at, type, key, preview, is_simulated, is_erased, due_at, expires_at}`. */
export function drawRow(event) {
  const row = copyOf("tail-row");
  const { partition, offset } = event;
  row.id = `e-${partition}-${offset}`;
  row.classList.add("row-new");
  fill(row, "partition", partition);
  const link = row.querySelector(".event-offset");
  link.textContent = offset;
  link.href = link.getAttribute("href").replace(/0\/0$/, `${partition}/${offset}`);
  const expander = row.querySelector("[data-expand]");
  expander.dataset.expand = link.getAttribute("href");
  expander.setAttribute("aria-controls", `x-${partition}-${offset}`);
  const isOneOfSeveral = row.querySelector('[data-slot="partition"]') !== null;
  expander.setAttribute("aria-label", `Payload of ${offset}${isOneOfSeveral ? ` in partition ${partition}` : ""}`);
  const time = row.querySelector("time");
  time.dateTime = event.recorded_at;
  writeTime(time);
  fill(row, "type", event.type);
  if (!event.is_simulated) row.querySelector('[data-slot="simulated"]').remove();
  fillTime(row, "due", event.due_at);
  fillTime(row, "expires", event.expires_at);
  const key = event.key ?? "–";
  fill(row, "key", key.length > KEY_CHARACTERS ? `${key.slice(0, KEY_CHARACTERS - 1)}…` : key);
  const preview = row.querySelector(".event-preview");
  if (event.is_erased) {
    const badge = document.createElement("span");
    badge.className = "badge";
    badge.textContent = "erased";
    preview.replaceWith(badge);
  } else preview.replaceChildren(...marked(event.preview));
  return row;
}

/** Events that are not shown: `{partition, first_offset, last_offset, event_count, reason}`. */
export function drawGap(gap) {
  const row = copyOf("tail-gap");
  for (const [name, value] of Object.entries(gap)) fill(row, name.replace("_", "-"), value);
  return row;
}
