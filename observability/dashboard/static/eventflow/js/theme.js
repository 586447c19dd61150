// Light, dark, or as the system says: kept for the next visit.
import { on, remember } from "./dom.js";

const ORDER = ["system", "light", "dark"];

function show(theme) {
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    const label = `Theme: ${theme}. Switch to ${ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length]}`;
    button.setAttribute("aria-label", label);
    button.title = label;
    for (const icon of button.querySelectorAll("[data-theme-icon]")) icon.hidden = icon.dataset.themeIcon !== theme;
  }
}

export function startTheme() {
  const root = document.documentElement;
  show(root.dataset.theme ?? "system");
  on("click", "[data-theme-switch]", () => {
    const next = ORDER[(ORDER.indexOf(root.dataset.theme ?? "system") + 1) % ORDER.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    remember("theme", next);
    show(next);
    document.dispatchEvent(new CustomEvent("eventflow:theme"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("eventflow:theme")));
}
