// The live tail: each answer brings new rows for the top of the list and the poller that asks for what follows.
const MAX_ROWS = 500;

export function startTail() {
  document.addEventListener("htmx:afterSwap", (event) => {
    const list = event.detail.target;
    if (!list.matches?.("[data-tail]")) return;
    while (list.children.length > MAX_ROWS) list.lastElementChild.remove();
  });
}
