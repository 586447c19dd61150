// Live regions ask again while somebody looks, and say so when the server does not answer.
//
// `<div data-live="2000" hx-get="…" hx-trigger="live">`: every 2 s the region asks for itself. It sends the version that it
// shows; the server answers 204 when nothing changed. After a failure it asks less and less often, and recovers by itself.
// One that has `data-followed` is told by somebody else (tail.js) and asks nothing.
import { on } from "./dom.js";
import { retryDelay } from "./requests.js";
import { isSignedOut, showSignedIn, showSignedOut, whatIsOutdated } from "./sign_in.js";

const regions = new WeakMap();
let isPaused = false;

function state(region) {
  if (!regions.has(region)) regions.set(region, { timer: 0, failures: 0, version: region.dataset.version ?? "" });
  return regions.get(region);
}

function showConnection() {
  const all = [...document.querySelectorAll("[data-live]:not([data-always])")];
  const isDown = all.some((region) => state(region).failures > 0);
  for (const sign of document.querySelectorAll("[data-connection]")) {
    const isSignedOut = all.some((region) => state(region).isSignedOut);
    const next = isSignedOut ? "signed-out" : isDown ? "reconnecting" : isPaused ? "paused" : "live";
    sign.hidden = all.length === 0;
    if (sign.dataset.state === next && sign.textContent) continue;
    sign.dataset.state = next;
    sign.textContent = { live: "Live", paused: "Paused", reconnecting: "Reconnecting…", "signed-out": "Signed out" }[next];
  }
}

/** Say whether a region that is followed is told everything at this moment. */
export function showFollowing(region, isTold = true) {
  Object.assign(state(region), { failures: isTold ? 0 : 1, isSignedOut: false });
  showConnection();
}

export const isLivePaused = () => isPaused;

/** Replacing what is selected or being operated under somebody's hands would be rude. */
export function isInUse(region) {
  const selection = getSelection();
  if (selection && !selection.isCollapsed && region.contains(selection.anchorNode)) return true;
  return region.querySelector(":is(input, select, textarea):focus, details[open][data-holds], [data-expand][aria-expanded=true], [data-select-row]:checked") !== null;
}

const isHeld = (region) => isInUse(document.getElementById(region.dataset.liveList) ?? region);
const mayBePaused = (region) => isPaused && !region.hasAttribute("data-always");

/** Have a region ask at once, or as soon as it may. */
export function askNow(region) {
  schedule(region, 30);
}

function schedule(region, wait) {
  const own = state(region);
  clearTimeout(own.timer);
  own.timer = setTimeout(() => ask(region), wait);
}

function ask(region) {
  if (!region.isConnected) return;
  const interval = Number(region.dataset.live);
  const isStill = document.hidden || region.hasAttribute("data-followed") || mayBePaused(region);
  const mayAsk = !isStill && !isHeld(region) && !region.classList.contains("htmx-request");
  if (mayAsk) htmx.trigger(region, "live");
  else schedule(region, interval);
}

function begin(root = document) {
  root.querySelectorAll("[data-live]").forEach((region) => {
    if (!regions.has(region)) schedule(region, Number(region.dataset.live));
  });
  showConnection();
}

export function startLive() {
  document.addEventListener("htmx:configRequest", (event) => {
    const region = event.detail.elt;
    // A list that grows asks by the place that it has come to, whatever answer it had before.
    if (region.matches("[data-live]")) event.detail.headers["EventFlow-Version"] = region.dataset.liveList ? "" : state(region).version;
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const region = detail.requestConfig.elt;
    // Asked for before somebody took hold of it or paused: what they have before them stays, and is asked for again.
    if (!region.matches("[data-live]") || !detail.shouldSwap) return;
    state(region).isLate = isHeld(region) || mayBePaused(region);
    if (state(region).isLate) detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const region = event.detail.elt;
    if (!region.matches("[data-live]")) return;
    const own = state(region);
    const { xhr, successful } = event.detail;
    if (successful) {
      if (own.isSignedOut) showSignedIn();
      own.failures = 0;
      own.isSignedOut = false;
      if (!own.isLate) own.version = xhr.getResponseHeader("EventFlow-Version") ?? "";
      own.isLate = false;
      if (region.isConnected && region.dataset.live !== "0") schedule(region, Number(region.dataset.live) * (0.95 + Math.random() / 10));
    } else {
      own.failures += 1;
      own.isSignedOut = isSignedOut(xhr) || whatIsOutdated(xhr) !== null;
      if (own.isSignedOut) showSignedOut();
      // It is gone, or may not be seen any more: the page itself says so. What stands beside it (the pulse) is no reason for that.
      if (xhr?.status === 404 || (xhr?.status === 403 && !own.isSignedOut && !region.hasAttribute("data-always"))) location.reload();
      else schedule(region, Math.max(Number(region.dataset.live), retryDelay(own.failures + 1)));
    }
    showConnection();
  });
  document.addEventListener("htmx:afterSettle", () => begin());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.querySelectorAll("[data-live]").forEach((region) => schedule(region, 50));
  });
  window.addEventListener("online", () => document.querySelectorAll("[data-live]").forEach((region) => schedule(region, 50)));
  on("click", "[data-live-pause]", (button) => {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    const label = button.querySelector("[data-live-label]");
    if (label) label.textContent = isPaused ? "Resume" : "Pause";
    document.querySelectorAll("[data-live]").forEach((region) => schedule(region, 50));
    showConnection();
    document.dispatchEvent(new CustomEvent("eventflow:live-paused"));
  });
  // After an action on the page its regions should show the outcome now, not at the next tick.
  document.addEventListener("refresh-live", () => document.querySelectorAll("[data-live]").forEach((region) => schedule(region, 30)));
  begin();
}
