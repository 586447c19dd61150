// How requests are sent: CSRF token, one Idempotency-Key per submission, and retries that keep it.
//
// A submission that may not have arrived (no answer, 429, 502–504) is sent again with the same key, so the server does its work
// at most once. The key belongs to what is sent: it stays until that is another, or until it is known to be done; not until
// somebody loses patience. What nobody knows the outcome of is said so at the form (outcomes.js).
//
// What waits to be sent again is not sent by the clock once it has been sent by hand, nor with what was typed meanwhile.
import { ask, randomKey } from "./dom.js";
import { showFailedResponse } from "./failures.js";
import { forgetOutcome, showOutcome } from "./outcomes.js";
import { askToSignIn, isSignedOut, showSignedOut, whatIsOutdated } from "./sign_in.js";
import { dismissToast, toast } from "./toasts.js";

const MAX_RETRIES = 5;
const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 10_000;
const RETRIED = new Set([0, 429, 502, 503, 504]);

/** By element that sends: `{key, content, attempts, mayBeDone, timer}`; `timer` while it waits to be sent again, `isDue` when it is. */
const submissions = new WeakMap();

/** How long to wait before retry number `attempt` (from 1), or what the server asked for if that is longer. */
export function retryDelay(attempt, retryAfter = null) {
  const backoff = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2);
  const asked = Number(retryAfter) * 1000;
  return Number.isFinite(asked) ? Math.max(backoff, Math.min(asked, 30_000)) : backoff;
}

/** Send what an element sent last; the same key, unless something else is sent now. */
export function sendAgain(element, config) {
  if (!element.isConnected) return;
  if (element.tagName === "FORM") htmx.trigger(element, "submit");
  else if (element.tagName === "BUTTON" || element.tagName === "A") htmx.trigger(element, "click");
  else ask(config.verb, config.path, { source: element, target: config.target });
}

/** Send again what waited for it; what is not there any more, or is not the same, stays unsent. */
function sendDue(element, config, submission) {
  submission.isDue = true;
  sendAgain(element, config);
  submission.isDue = false;
  if (submission.timer) giveUp(element, config.verb, submission);
}

function stopWaiting(submission) {
  clearTimeout(submission.timer);
  submission.timer = 0;
}

/** What waited is not sent again; who asked for it is told, and what it is that may have been done. */
function giveUp(element, verb, submission) {
  stopWaiting(submission);
  submission.attempts = 0;
  dismissToast("retrying");
  element.removeAttribute("aria-busy");
  if (verb === "get") return;
  const { mayBeDone } = submission;
  toast({
    level: "warn", name: "given-up", title: "Not sent again: the page has changed meanwhile",
    text: mayBeDone ? "What was sent before may have been done." : "What was sent before was not done.",
  });
  document.dispatchEvent(new CustomEvent("eventflow:settled", { detail: { element, successful: false, status: 0, mayBeDone, isOver: true } }));
}

/** What is sent, as text: who asks for the same again means the same. */
function contentOf({ verb, path, formData }) {
  const fields = [...formData].filter(([name]) => name !== "csrfmiddlewaretoken");
  return JSON.stringify([verb, path, fields.map(([name, value]) => [name, String(value)])]);
}

/** Whether the server may have done what it did not answer to. */
function isUncertain(status, xhr) {
  return (status === 0 || status >= 500) && xhr?.getResponseHeader?.("EventFlow-Stored") !== "no";
}

function settle(event) {
  const { xhr, requestConfig: config } = event.detail;
  // To go to another page is no failure: htmx says neither of the two then.
  const isLeaving = Boolean(xhr?.getResponseHeader?.("HX-Redirect"));
  const successful = event.detail.successful || isLeaving;
  // Not `detail.elt`: where the answer replaced the element, that is one of its parents.
  const element = config.elt;
  if (element.closest("[data-live]") === element) return; // live.js keeps its own rhythm
  const submission = submissions.get(element) ?? { key: null, attempts: 0 };
  const outdated = whatIsOutdated(xhr);
  // A token that is refused twice is not mended by a third.
  if (isSignedOut(xhr) || outdated === "user" || (outdated === "token" && !submission.isRenewed)) {
    submission.isRenewed = outdated === "token";
    if (isSignedOut(xhr)) showSignedOut();
    dismissToast("retrying");
    element.removeAttribute("aria-busy");
    const retry = () => sendAgain(element, config);
    const { mayBeDone } = submission; // of a try before this one
    if (mayBeDone) showOutcome(element, { mayBeDone, retry });
    askToSignIn(element, retry);
    document.dispatchEvent(new CustomEvent("eventflow:settled", { detail: { element, successful: false, status: 401, mayBeDone } }));
    return;
  }
  const status = xhr?.status ?? 0;
  if (!successful && RETRIED.has(status) && submission.attempts < MAX_RETRIES) {
    submission.attempts += 1;
    submission.mayBeDone ||= isUncertain(status, xhr);
    submissions.set(element, submission);
    const wait = retryDelay(submission.attempts, xhr?.getResponseHeader?.("Retry-After"));
    toast({
      level: "warn", name: "retrying", lasts: true,
      title: status === 429 ? "Too many requests: waiting a moment" : "No answer yet: trying again",
      text: `Attempt ${submission.attempts + 1} of ${MAX_RETRIES + 1}. Nothing is done twice.`,
    });
    element.setAttribute("aria-busy", "true");
    submission.timer = setTimeout(() => sendDue(element, config, submission), wait);
    return;
  }
  if (submission.attempts > 0) dismissToast("retrying");
  element.removeAttribute("aria-busy");
  const mayBeDone = !successful && (submission.mayBeDone || isUncertain(status, xhr)) && config.verb !== "get";
  // What is clicked once more before the other page is there is the same, and keeps its key.
  if (successful && !isLeaving) submissions.delete(element);
  else Object.assign(submission, { attempts: 0, mayBeDone, isRenewed: false });
  if (mayBeDone || (!successful && RETRIED.has(status) && config.verb !== "get")) {
    showOutcome(element, { mayBeDone, retry: () => sendAgain(element, config) });
  }
  if (!successful && status !== 422) showFailedResponse(xhr ?? { status: 0 });
  // On the document: the answer may have replaced the element.
  document.dispatchEvent(new CustomEvent("eventflow:settled", { detail: { element, successful, status, mayBeDone } }));
}

export function startRequests() {
  document.addEventListener("htmx:configRequest", (event) => {
    const { headers, verb, elt: element } = event.detail;
    let submission = submissions.get(element);
    if (verb === "get") {
      if (submission) stopWaiting(submission);
      return;
    }
    headers["X-CSRFToken"] = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
    const content = contentOf(event.detail);
    const isOther = submission?.content !== content;
    if (isOther && submission?.isDue) {
      event.preventDefault();
      return;
    }
    if (isOther && submission?.timer) giveUp(element, verb, submission);
    if (submission) stopWaiting(submission);
    if (isOther) submission = { key: randomKey(), content, attempts: 0, mayBeDone: false };
    submissions.set(element, submission);
    headers["Idempotency-Key"] = submission.key;
    forgetOutcome(element);
  });
  document.addEventListener("htmx:afterRequest", settle);
}
