// What a refused form says of its fields: the first of them gets the focus, and all of it goes when the form is accepted.
function clear(form) {
  form.querySelectorAll(".field-error, .banner-bad[role=alert]").forEach((told) => told.remove());
  for (const field of form.querySelectorAll("[aria-invalid=true]")) field.removeAttribute("aria-invalid");
}

export function startFaults() {
  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (detail.xhr?.status !== 422) return;
    const place = detail.target.isConnected ? detail.target : document;
    place.querySelector("[aria-invalid=true]:not(:disabled)")?.focus();
  });
  document.addEventListener("eventflow:settled", ({ detail: { element, successful, status } }) => {
    if (successful && status !== 422 && element.matches("form")) clear(element);
  });
}
