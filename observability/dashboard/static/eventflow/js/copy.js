// Copy buttons: `data-copy="#id"` copies an element's text, `data-copy-text` its own.
import { on } from "./dom.js";
import { toast } from "./toasts.js";

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // On plain http there is no clipboard API; an off-screen selection still works.
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  if (!isDone) throw new Error("the browser refused");
  return undefined;
}

export function startCopying() {
  on("click", "[data-copy], [data-copy-text]", async (button) => {
    const source = button.dataset.copy ? document.querySelector(button.dataset.copy) : null;
    const text = source ? (source.value ?? source.textContent) : button.dataset.copyText;
    try {
      await copy(text);
      toast({ level: "good", title: button.dataset.copied ?? "Copied", name: "copied" });
    } catch {
      toast({ level: "warn", title: "Could not copy: select the text and press Ctrl+C", name: "copied" });
    }
  });
}
