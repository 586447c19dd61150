// Confirmations come from the server, with the numbers: they land in #dialog-slot and open as modal dialogs.
import { on } from "./dom.js";

const SLOTS = new Set(["dialog-slot", "sign-in-slot"]);

function open(dialog) {
  if (dialog.open) return;
  const opener = document.activeElement;
  dialog.showModal();
  dialog.addEventListener("close", () => {
    if (SLOTS.has(dialog.parentElement?.id)) dialog.remove();
    if (opener?.isConnected) opener.focus();
  }, { once: true });
}

export function startDialogs() {
  document.addEventListener("htmx:afterSwap", (event) => {
    if (SLOTS.has(event.detail.target.id)) event.detail.target.querySelectorAll("dialog").forEach(open);
  });
  on("click", "[data-open-dialog]", (button) => open(document.querySelector(button.dataset.openDialog)));
  on("click", "[data-close-dialog]", (button, event) => { event.preventDefault(); button.closest("dialog").close(); });
  // A click on the backdrop hits the dialog element itself.
  document.addEventListener("click", (event) => {
    if (event.target instanceof HTMLDialogElement && !event.target.hasAttribute("data-stays")) event.target.close();
  });
  // The server says that a dialog has done its work.
  document.addEventListener("close-dialog", () => document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close()));
}
