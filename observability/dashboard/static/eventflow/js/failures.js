// The one place that catches what nobody expected, and says it with the request's id.
import { toast } from "./toasts.js";

const TITLES = {
  0: "No connection to EventFlow",
  403: "You may not do that",
  404: "That is no longer there",
  413: "That is too large to send",
};

/** Tell of a failed answer, unless the server already did with a toast of its own. */
export function showFailedResponse(xhr) {
  if (xhr.getResponseHeader?.("HX-Trigger")?.includes('"toast"')) return;
  if (xhr.getResponseHeader?.("EventFlow-Outdated")) {
    toast({ level: "bad", name: "outdated", title: "This page is out of date: nothing was done", text: "Open it anew, and see that cookies are allowed." });
    return;
  }
  const requestId = xhr.getResponseHeader?.("X-Request-Id");
  const title = TITLES[xhr.status] ?? (xhr.status >= 500 ? "EventFlow could not answer" : `The request was refused (${xhr.status})`);
  toast({ level: "bad", title, text: requestId ? `Request ${requestId}` : "", name: `failed-${xhr.status}` });
}

function showBrokenPage(reason) {
  toast({ level: "bad", title: "Something broke on this page. Reload it to go on.", text: String(reason ?? "").slice(0, 200), name: "broken" });
}

export function startFailures() {
  window.addEventListener("error", (event) => { if (event.message) showBrokenPage(event.message); });
  window.addEventListener("unhandledrejection", (event) => showBrokenPage(event.reason?.message ?? event.reason));
  for (const name of ["htmx:swapError", "htmx:targetError", "htmx:onLoadError"]) {
    document.addEventListener(name, (event) => showBrokenPage(event.detail.error ?? name));
  }
}
