// A session that has ended: said on the page, mended on the page, and nothing that was typed is lost.
//
// The server answers a script that it does not know by pointing to the sign-in. Going there would throw away the page, so a dialog
// opens in place; then what was to be sent is sent, with the key that it had. Everything says for whom the page was opened: the
// server does nothing of it for somebody else, and the page asks before it goes on for them. A CSRF token from before the last
// sign-in in this browser is mended the same way: the page asks who is signed in.
import { ask, make, on } from "./dom.js";
import { toast } from "./toasts.js";

const ADDRESS = "/sign-in";
/** What could not be sent, by the element that sends it: how to send it again. */
const waiting = new Map();

const meta = (name) => document.querySelector(`meta[name="${name}"]`);
const slot = () => document.getElementById("sign-in-slot");

/** Whether this answer says that nobody is signed in any more. */
export function isSignedOut(xhr) {
  return xhr?.getResponseHeader?.("HX-Redirect") === ADDRESS;
}

/** What of this page is not of the session any more, as this answer says: "user", "token" or nothing. */
export function whatIsOutdated(xhr) {
  return xhr?.getResponseHeader?.("EventFlow-Outdated") ?? null;
}

/** Say on the page that it has stopped, and why. */
export function showSignedOut() {
  if (document.getElementById("signed-out")) return;
  const text = make("div", { class: "banner-text" }, make("h2", {}, "Sign in to go on"), "You have been signed out. What you see does not renew itself any more; what you typed is still here.");
  const button = make("button", { type: "button", class: "btn btn-small", "data-sign-in": true }, "Sign in");
  document.getElementById("main")?.prepend(make("div", { class: "banner banner-warn", role: "alert", id: "signed-out" }, text, button));
}

/** An answer has come again, so somebody has signed in elsewhere: what says that the page has stopped is over. */
export function showSignedIn() {
  if (document.getElementById("signed-out")) askToSignIn(document.body);
}

/** Ask who is signed in, for the password in place if nobody is, and do `resume` afterwards. */
export function askToSignIn(element, resume) {
  // The dialog itself may be what is outdated; then it is fetched anew.
  const isOwn = slot().contains(element);
  if (isOwn) toast({ level: "warn", name: "signed-in", title: "Please sign in once more", text: "Cookies must be allowed for it." });
  else if (resume) waiting.set(element, resume);
  if (isOwn || !slot().querySelector("dialog")) ask("get", ADDRESS, { target: "#sign-in-slot" });
}

function goOn({ user, csrf }) {
  meta("eventflow-user").content = user;
  meta("csrf-token").content = csrf;
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = csrf;
  document.getElementById("signed-out")?.remove();
  const resumed = [...waiting.values()];
  waiting.clear();
  slot().querySelector("dialog")?.close();
  resumed.forEach((resume) => resume());
  document.dispatchEvent(new CustomEvent("refresh-live"));
}

/** Somebody else has signed in: nothing goes on under their name before they say so. */
function askWhose(now) {
  slot().querySelector("dialog")?.close();
  waiting.clear();
  const mine = make("button", { type: "button", class: "btn" }, `Go on as ${now.name}`);
  const dialog = make("dialog", { class: "dialog", "aria-labelledby": "whose-title" },
    make("div", { class: "dialog-body" },
      make("h2", { id: "whose-title" }, `You are ${now.name} now`),
      make("p", { class: "soft small" }, "Somebody else opened this page. What was typed has not been sent.")),
    make("div", { class: "dialog-foot" }, make("a", { class: "btn btn-primary", href: location.pathname + location.search }, "Open the page anew"), mine));
  mine.addEventListener("click", () => goOn(now));
  dialog.addEventListener("close", () => dialog.remove());
  slot().replaceChildren(dialog);
  dialog.showModal();
}

export function startSignIn() {
  document.addEventListener("htmx:configRequest", (event) => {
    const user = meta("eventflow-user")?.content;
    if (user) event.detail.headers["EventFlow-User"] = user;
  });
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (isSignedOut(event.detail.xhr)) event.preventDefault();
  });
  document.addEventListener("signed-in", (event) => {
    if (String(event.detail.user) !== meta("eventflow-user")?.content) {
      askWhose(event.detail);
      return;
    }
    if (waiting.size > 0 && !slot().querySelector("dialog")) {
      toast({ level: "info", name: "signed-in", title: "You have signed in again in another tab", text: "This page goes on with that." });
    }
    goOn(event.detail);
  });
  // Closed without signing in: what was to be sent is not, until somebody sends it again.
  document.addEventListener("close", (event) => { if (event.target.parentElement === slot()) waiting.clear(); }, true);
  on("click", "[data-sign-in]", () => askToSignIn(document.body));
}
