// The few helpers that every module shares. Text only ever enters the page as text.

/** Pages are English, whatever the browser speaks: times and numbers in one language with the words around them. */
export const LANGUAGE = "en-GB";

/** Make an element with attributes and children; strings become text nodes. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Run `enhance` on every match now, and again on what each swap brings, before it is painted. */
export function onContent(selector, enhance) {
  const enhanceIn = (root) => {
    if (root instanceof Element && root.matches(selector)) enhance(root);
    root.querySelectorAll?.(selector).forEach(enhance);
  };
  enhanceIn(document);
  document.addEventListener("htmx:afterSwap", (event) => enhanceIn(event.detail.target.isConnected ? event.detail.target : document));
  document.addEventListener("htmx:oobAfterSwap", (event) => enhanceIn(event.detail.target));
  document.addEventListener("eventflow:content", (event) => enhanceIn(event.target));
}

/** Listen for an event on whatever matches `selector`, now or later. */
export function on(type, selector, listener) {
  document.addEventListener(type, (event) => {
    const element = event.target instanceof Element ? event.target.closest(selector) : null;
    if (element) listener(element, event);
  });
}

/** Have a script ask for what an element shows. Events tell what becomes of it, as of any request; the promise would say it twice. */
export function ask(verb, path, context) {
  htmx.ajax(verb, path, context).catch(() => {});
}

/** A random key; `crypto.randomUUID` is missing on plain http, `getRandomValues` is not. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function remember(name, value) {
  try {
    localStorage.setItem(`eventflow.${name}`, value);
  } catch {
    // Forgetting a preference is no reason to fail.
  }
}
