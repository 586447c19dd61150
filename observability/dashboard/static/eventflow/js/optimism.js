// Rows that appear before the answer does. `<form data-optimistic="#template" data-optimistic-into="#list">`: the template's
// copy gets the form's values as text, shows as pending, and goes when the true row has come or the attempt has failed; it stays if nobody knows.
import { marked } from "./unseen.js";

const pending = new WeakMap();

function addPending(form) {
  if (pending.has(form)) { // a retry: its row already stands there
    say(pending.get(form), "pending", "sending…");
    return;
  }
  const template = document.querySelector(form.dataset.optimistic);
  const list = document.querySelector(form.dataset.optimisticInto);
  if (!template || !list) return;
  const row = template.content.firstElementChild.cloneNode(true);
  row.classList.add("pending");
  const values = new FormData(form);
  for (const slot of row.querySelectorAll("[data-value]")) {
    const value = String(values.get(slot.dataset.value) ?? "");
    slot.replaceChildren(...marked(value.length > 120 ? `${value.slice(0, 120)}…` : value));
  }
  list.prepend(row);
  pending.set(form, row);
}

function say(row, state, text) {
  row.classList.remove("pending", "rolled-back", "uncertain");
  row.classList.add(...state.split(" "));
  const status = row.querySelector("[data-status]");
  if (status) status.textContent = text;
}

function rollBack(row) {
  say(row, "rolled-back", "Not sent");
  setTimeout(() => row.remove(), 4000);
}

export function startOptimism() {
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches?.("form[data-optimistic]")) addPending(event.detail.elt);
  });
  // Something else is sent next: what became of this one is not known any more.
  document.addEventListener("input", (event) => {
    const row = pending.get(event.target.form);
    if (row?.classList.contains("uncertain")) pending.delete(event.target.form);
  });
  document.addEventListener("eventflow:settled", (event) => {
    const row = pending.get(event.detail.element);
    if (!row) return;
    if (event.detail.mayBeDone) { // It stands there as long as nobody knows better.
      say(row, "rolled-back uncertain", "may be stored");
      if (event.detail.isOver) pending.delete(event.detail.element);
      return;
    }
    pending.delete(event.detail.element);
    if (event.detail.successful && event.detail.status !== 422) row.remove();
    else rollBack(row);
  });
}
