// A text area for JSON: says at once what is wrong and where, formats without changing a character of a value.
import { LANGUAGE, make, on, onContent } from "./dom.js";
import { formatJson, place, readJson } from "./json_tokens.js";

function check(area) {
  const status = document.getElementById(area.getAttribute("aria-describedby").split(" ")[0]);
  const text = area.value;
  let problem = null;
  try {
    readJson(text);
  } catch (error) {
    const { line, column } = place(text, error.position ?? 0);
    problem = text.trim() === "" ? "Write a JSON value" : `Line ${line}, column ${column}: ${error.message}`;
  }
  area.toggleAttribute("data-broken", problem !== null);
  area.setAttribute("aria-invalid", String(problem !== null));
  area.setCustomValidity(problem ?? "");
  if (status) {
    const size = new TextEncoder().encode(text).length;
    const mark = make("span", { class: problem ? "dot dot-bad" : "dot dot-good", "aria-hidden": "true" });
    status.replaceChildren(mark, make("span", { class: problem ? "bad" : "faint" }, problem ?? `Valid JSON, ${size.toLocaleString(LANGUAGE)} bytes`));
  }
}

export function startEditors() {
  onContent("textarea[data-json-editor]", check);
  on("input", "textarea[data-json-editor]", check);
  on("click", "[data-format]", (button) => {
    const area = document.querySelector(button.dataset.format);
    try {
      area.value = formatJson(readJson(area.value));
      area.dispatchEvent(new Event("input", { bubbles: true }));
    } catch {
      area.focus();
    }
  });
  // Tab writes two spaces; Escape first lets Tab move on, so nobody is trapped.
  on("keydown", "textarea[data-json-editor]", (area, event) => {
    if (event.key === "Escape") area.dataset.tabMoves = "";
    else if (event.key === "Tab" && !event.shiftKey && !("tabMoves" in area.dataset) && area.value !== "") {
      event.preventDefault();
      area.setRangeText("  ", area.selectionStart, area.selectionEnd, "end");
    }
  });
  on("focusout", "textarea[data-json-editor]", (area) => delete area.dataset.tabMoves);
}
