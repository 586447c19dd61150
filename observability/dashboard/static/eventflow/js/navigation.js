// The menu on a phone, and keys: `/` to the box that finds everything, `f` to the first filter, `g` then a letter to a page, `?` for the list.
import { on } from "./dom.js";

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]") !== null;

function toggleMenu(button) {
  const sidebar = document.getElementById("sidebar");
  const isOpen = sidebar.toggleAttribute("data-open");
  button.setAttribute("aria-expanded", String(isOpen));
}

/** On a phone the tabs scroll sideways: the current one should be seen. */
function showCurrentTab() {
  const current = document.querySelector(".tabs [aria-current]");
  if (current) current.parentElement.closest(".tabs").scrollLeft = current.offsetLeft - 16;
}

export function startNavigation() {
  showCurrentTab();
  on("click", "[data-menu-toggle]", toggleMenu);
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const sidebar = document.querySelector("#sidebar[data-open]");
      if (sidebar) toggleMenu(document.querySelector("[data-menu-toggle]"));
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (isGoing) {
      isGoing = false;
      document.querySelector(`.nav-link[data-go="${CSS.escape(event.key)}"]`)?.click();
    } else if (event.key === "g") {
      isGoing = true;
      setTimeout(() => { isGoing = false; }, 1200);
    } else if (event.key === "/") {
      const box = document.querySelector("[data-find]");
      if (!box) return;
      event.preventDefault();
      if (!box.checkVisibility()) toggleMenu(document.querySelector("[data-menu-toggle]"));
      box.focus();
      box.select();
    } else if (event.key === "f") {
      const filter = document.querySelector("main [data-first-filter]");
      if (filter) { event.preventDefault(); filter.focus(); filter.select?.(); }
    } else if (event.key === "?") {
      document.getElementById("keys-help")?.showModal();
    }
  });
  // A filter form sends itself when something is chosen; without scripts it has its button.
  on("change", "form[data-autosubmit] :is(select, input[type=radio], input[type=checkbox])", (element) => element.form.requestSubmit());
}
