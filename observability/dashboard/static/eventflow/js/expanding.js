// A row that opens in place: `<button data-expand="/address" aria-expanded="false" aria-controls="id">` in a row of a table. What
// the address answers for the element of that id comes into a row of its own below, when it is asked for and not before.
import { ask, make, on } from "./dom.js";

function close(button) {
  document.getElementById(button.getAttribute("aria-controls"))?.closest("tr").remove();
  button.setAttribute("aria-expanded", "false");
}

function open(button) {
  const row = button.closest("tr");
  const place = make("td", { id: button.getAttribute("aria-controls"), colspan: row.cells.length, "aria-live": "polite" },
    make("span", { class: "visually-hidden" }, "Loading…"),
    ...["wide", "half"].map((width) => make("span", { class: `skeleton skeleton-${width}`, "aria-hidden": "true" })));
  row.after(make("tr", { class: "row-detail" }, place));
  button.setAttribute("aria-expanded", "true");
  ask("get", button.dataset.expand, { source: place, target: place });
}

/** The button of a row that is open, also from the row below. */
function buttonOf(row) {
  return (row.matches(".row-detail") ? row.previousElementSibling : row).querySelector("[data-expand][aria-expanded=true]");
}

export function startExpanding() {
  on("click", "[data-expand]", (button) => (button.getAttribute("aria-expanded") === "true" ? close : open)(button));
  // From within what was opened, too.
  on("keydown", "tr", (row, event) => {
    if (event.key !== "Escape") return;
    const button = buttonOf(row);
    if (button) { close(button); button.focus(); }
  });
  // What could not be had is not shown as open.
  document.addEventListener("eventflow:settled", ({ detail: { element, successful } }) => {
    if (!successful && element.isConnected && element.matches(".row-detail > td")) close(buttonOf(element.parentElement));
  });
}
