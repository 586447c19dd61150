// Short answers in the corner. The server sends them as the event `toast` or as messages in the page.
import { make } from "./dom.js";
import { marked } from "./unseen.js";

const LIFE_MS = { good: 5000, info: 6000, warn: 9000, bad: 14000 };

/** Show a toast; one with the same `name` is replaced. Returns the element. */
export function toast({ level = "info", title, text = "", name = null, lasts = false }) {
  const list = document.getElementById("toasts");
  if (!list) return null;
  if (name) list.querySelector(`[data-name="${CSS.escape(name)}"]`)?.remove();
  const close = make("button", { type: "button", class: "btn btn-quiet btn-small btn-icon", "aria-label": "Dismiss" }, "×");
  const item = make("div", { class: `toast toast-${level}`, role: level === "bad" ? "alert" : "status", "data-name": name });
  item.append(make("div", { class: "toast-title" }, ...marked(String(title))), close);
  if (text) item.append(make("div", { class: "toast-text" }, ...marked(String(text))));
  close.addEventListener("click", () => item.remove());
  list.append(item);
  while (list.children.length > 4) list.firstElementChild.remove();
  if (!lasts) {
    let timer = setTimeout(() => item.remove(), LIFE_MS[level] ?? LIFE_MS.info);
    item.addEventListener("pointerenter", () => clearTimeout(timer));
    item.addEventListener("pointerleave", () => { timer = setTimeout(() => item.remove(), 2500); });
  }
  return item;
}

export function dismissToast(name) {
  document.querySelector(`#toasts [data-name="${CSS.escape(name)}"]`)?.remove();
}

export function startToasts() {
  document.addEventListener("toast", (event) => toast(event.detail));
  for (const message of document.querySelectorAll("[data-message]")) {
    const [title, ...text] = message.textContent.trim().split("\n");
    toast({ level: message.dataset.message, title, text: text.join(" ") });
    message.remove();
  }
}
