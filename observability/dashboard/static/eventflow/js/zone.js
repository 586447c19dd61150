// The time zone of the page: the one that this person chose, or else the browser's.
import { onContent } from "./dom.js";

const chosen = document.querySelector('meta[name="eventflow-zone"]')?.content;

function isKnown(zone) {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: zone }));
  } catch {
    return false;
  }
}

/** As `Intl` takes it; undefined is the browser's own. What the browser does not know is shown in UTC, and said so. */
export const ZONE = chosen ? (isKnown(chosen) ? chosen : "UTC") : undefined;
export const zoneName = ZONE ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Whether the server knows the zone: then it reads and writes the fields of forms itself. */
export const isChosen = Boolean(chosen);

export function startZone() {
  if (!isChosen) onContent("[data-zone]", (place) => { place.textContent = zoneName; });
}
