// What is said where no answer came in the end: it may have been done, and to ask again is safe.
//
// In a form it stands above its buttons, also where that is in a dialog; for a lone button, and for a form whose dialog was closed
// meanwhile, it is a message with a button.
import { make } from "./dom.js";
import { dismissToast, toast } from "./toasts.js";

/** By form: what stands in it. */
const shown = new WeakMap();

/** Say of an element that its submission is over without an answer; `mayBeDone`: nobody knows what became of it. */
export function showOutcome(element, { mayBeDone, retry }) {
  forgetOutcome(element);
  const done = element.hasAttribute("data-optimistic") ? "stored" : "done";
  const title = mayBeDone ? `No answer came: it may have been ${done}.` : `It was not ${done}: too much was asked for at once.`;
  const text = `Retry is safe: it is ${done} once, as long as you change nothing.`;
  const button = make("button", { type: "button", class: "btn btn-small" }, "Retry");
  button.addEventListener("click", retry);
  if (element.tagName !== "FORM" || !element.checkVisibility()) {
    toast({ level: "warn", name: "outcome", lasts: true, title, text })?.append(button);
    return;
  }
  const banner = make("div", { class: "banner banner-warn", role: "alert", "data-outcome": true });
  banner.append(make("span", { class: "banner-text" }, `${title} ${text}`), button);
  const foot = element.querySelector(".card-foot, .dialog-foot");
  if (foot) foot.before(banner);
  else element.append(banner);
  shown.set(element, banner);
  // Another content is another submission: it would be wrong to call that a retry.
  element.addEventListener("input", () => forgetOutcome(element), { once: true });
}

export function forgetOutcome(element) {
  shown.get(element)?.remove();
  shown.delete(element);
  if (element.tagName !== "FORM" || !element.checkVisibility()) dismissToast("outcome");
}
