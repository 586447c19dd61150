// A key that was just made goes into the lines of the page that are to be pasted with it. It stands in the page alone: it is
// kept nowhere, and gone when the page is.
import { onContent } from "./dom.js";

export function startKeySlots() {
  onContent("[data-new-key]", (secret) => {
    for (const slot of document.querySelectorAll("[data-key-slot]")) slot.textContent = secret.textContent;
  });
}
