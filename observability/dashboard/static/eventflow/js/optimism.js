// Rows that appear before the answer does. `<form data-optimistic="#template" data-optimistic-into="#list">`: the template's
// copy gets the form's values as text, shows as pending, and goes when the true row has come or the attempt has failed.
const pending = new WeakMap();

function addPending(form) {
  if (pending.has(form)) return; // a retry: its row already stands there
  const template = document.querySelector(form.dataset.optimistic);
  const list = document.querySelector(form.dataset.optimisticInto);
  if (!template || !list) return;
  const row = template.content.firstElementChild.cloneNode(true);
  row.classList.add("pending");
  const values = new FormData(form);
  for (const slot of row.querySelectorAll("[data-value]")) {
    const value = String(values.get(slot.dataset.value) ?? "");
    slot.textContent = value.length > 120 ? `${value.slice(0, 120)}…` : value;
  }
  list.prepend(row);
  pending.set(form, row);
}

function rollBack(row) {
  row.classList.remove("pending");
  row.classList.add("rolled-back");
  const status = row.querySelector("[data-status]");
  if (status) status.textContent = "Not sent";
  setTimeout(() => row.remove(), 4000);
}

export function startOptimism() {
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches?.("form[data-optimistic]")) addPending(event.detail.elt);
  });
  document.addEventListener("eventflow:settled", (event) => {
    const row = pending.get(event.detail.element);
    if (!row) return;
    pending.delete(event.detail.element);
    if (event.detail.successful && event.detail.status !== 422) row.remove();
    else rollBack(row);
  });
}
