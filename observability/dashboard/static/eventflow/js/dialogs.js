// Confirmations come from the server, with the numbers: they land in #dialog-slot and open as modal dialogs.
//
// One that is closed before its answer has come stays in the page, unseen, until then: what became of it is told all the same.
import { on } from "./dom.js";

const SLOTS = new Set(["dialog-slot", "sign-in-slot"]);
const isBusy = (dialog) => dialog.querySelector("form.htmx-request, form[aria-busy=true]") !== null;
/** The dialog that was asked for last. */
let asked = null;

function open(dialog) {
  if (dialog.open) return;
  const opener = document.activeElement;
  dialog.showModal();
  dialog.addEventListener("close", () => {
    if (SLOTS.has(dialog.parentElement?.id)) leave(dialog);
    if (opener?.isConnected) opener.focus();
  }, { once: true });
}

function leave(dialog) {
  if (dialog.parentElement.id !== "dialog-slot" || !isBusy(dialog)) {
    dialog.remove();
    return;
  }
  dialog.dataset.left = "";
  document.body.append(dialog);
}

/** Whether a request is a click on the page for a dialog; those from within a dialog go on with it. */
const isOpening = ({ target, requestConfig }) => target.id === "dialog-slot" && !requestConfig.elt.closest("dialog");

export function startDialogs() {
  document.addEventListener("htmx:beforeRequest", ({ detail }) => { if (isOpening(detail)) asked = detail.xhr; });
  // One question at a time: an answer that was overtaken must not take the place of what somebody is about to confirm.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (isOpening(detail) && (detail.xhr !== asked || detail.target.querySelector("dialog[open]"))) detail.shouldSwap = false;
  });
  document.addEventListener("eventflow:settled", ({ detail: { element, successful } }) => {
    if (successful) element.closest("dialog[data-left]")?.remove();
  });
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
  document.addEventListener("close-dialog", (event) => {
    // It may be one that was left, and another is open.
    if (!event.target.closest?.("dialog[data-left]")) document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  });
}
