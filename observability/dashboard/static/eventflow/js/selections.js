// Tables with checkboxes: all of the page at once, and actions that wake when something is chosen.
import { on } from "./dom.js";

function show(form) {
  const boxes = [...form.querySelectorAll("[data-select-row]")];
  const chosen = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-select-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
  for (const slot of form.querySelectorAll("[data-select-count]")) slot.textContent = String(chosen);
  for (const button of form.querySelectorAll("[data-needs-selection]")) button.disabled = chosen === 0;
  for (const box of boxes) box.closest("tr")?.setAttribute("aria-selected", String(box.checked));
}

export function startSelections() {
  document.querySelectorAll("[data-selection]").forEach(show);
  on("change", "[data-select-all]", (all) => {
    const form = all.closest("[data-selection]");
    form.querySelectorAll("[data-select-row]").forEach((box) => { box.checked = all.checked; });
    show(form);
  });
  on("change", "[data-select-row]", (box) => show(box.closest("[data-selection]")));
  document.addEventListener("htmx:afterSwap", () => document.querySelectorAll("[data-selection]").forEach(show));
}
