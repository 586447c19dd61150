// What a form offers and the chosen engine does without is not to be filled in: radio buttons with `data-lacks`, and in the same
// form a `<fieldset data-needs="capability">` around each such thing. The server refuses it, too.
import { on } from "./dom.js";

export function startEngines() {
  on("change", "input[data-lacks]", (choice) => {
    const lacks = choice.dataset.lacks.split(" ");
    choice.form.querySelectorAll("fieldset[data-needs]").forEach((part) => { part.disabled = lacks.includes(part.dataset.needs); });
  });
}
