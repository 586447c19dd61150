// The live tail follows its stream over an EventSource, and polls where that cannot be had.
//
// `<tbody data-tail="/address">` is the list. Whatever brings new events also says up to which place in the stream that is; from
// there the other goes on, so neither misses anything. The poller (live.js) is there all the time and asks for nothing while the
// page follows: it takes over when the server refuses, when somebody on the way keeps what comes, and when a session has ended,
// of which it knows what to say. A page that nobody sees follows nothing: each stream that is open takes one of the few
// connections that a browser has for a site.
import { askNow, isLivePaused, showFollowing } from "./live.js";
import { TailList } from "./tail_list.js";
import { drawGap, drawRow } from "./tail_rows.js";
import { toast } from "./toasts.js";

const LONGEST_RETRY_MS = 300_000;
// A break that is over by then is no news.
const NEWS_AFTER_MS = 3_500;

const poller = () => document.getElementById("tail-poller");

export function startTail() {
  const list = document.querySelector("[data-tail]");
  if (!list) return;
  const rowsOnPage = new TailList(list);
  const patienceMs = Number(list.dataset.patience) * 1000;
  const silenceMs = Number(list.dataset.heartbeat) * 1000 + patienceMs;

  let source = null;
  let place = placeOf(poller());
  let watchdog = 0;
  let tries = 0;
  let nextTryAt = 0;
  let news = 0;
  let isLost = false;

  // --- following ---

  const mayFollow = () => !source && !document.hidden && !isLivePaused() && Date.now() >= nextTryAt && "EventSource" in window;

  function follow() {
    if (!mayFollow()) return;
    const url = new URL(list.dataset.tail, location.href);
    url.searchParams.set("at", place);
    source = new EventSource(url);
    watch(patienceMs);
    source.addEventListener("message", ({ data }) => hear(JSON.parse(data)));
    source.addEventListener("end", giveWay);
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) giveWay();
      else {
        // The browser comes again by itself, after what came last.
        lose();
        watch(patienceMs);
      }
    });
  }

  function watch(forMs) {
    clearTimeout(watchdog);
    watchdog = setTimeout(giveWay, forMs);
  }

  function stop() {
    clearTimeout(watchdog);
    source?.close();
    source = null;
    delete poller().dataset.followed;
  }

  /** Let the poller find out what is wrong, and go on meanwhile. */
  function giveWay() {
    stop();
    tries += 1;
    nextTryAt = Date.now() + Math.min(1000 * 2 ** tries, LONGEST_RETRY_MS);
    askNow(poller());
  }

  function hear({ at, rows, skipped }) {
    tries = 0;
    watch(silenceMs);
    poller().dataset.followed = "";
    place = at;
    find();
    showFollowing(poller());
    // What came while this was opening the poller may have brought.
    const fresh = rows.filter(({ partition, offset }) => !document.getElementById(`e-${partition}-${offset}`));
    if (fresh.length || skipped.length) rowsOnPage.add([...skipped.map((gap) => () => drawGap(gap)), ...fresh.map((row) => () => drawRow(row))]);
  }

  // --- the connection ---

  function lose() {
    showFollowing(poller(), false);
    news ||= setTimeout(() => {
      isLost = true;
      toast({ level: "warn", name: "tail", lasts: true, title: "The connection is lost", text: "What comes meanwhile is shown when it is back." });
    }, NEWS_AFTER_MS);
  }

  function find() {
    clearTimeout(news);
    news = 0;
    if (!isLost) return;
    isLost = false;
    toast({ level: "good", name: "tail", title: "The connection is back", text: "The tail goes on where it stopped." });
  }

  // --- the poller ---

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.elt.id !== "tail-poller") return;
    const url = new URL(detail.path, location.href);
    url.searchParams.set("at", place);
    detail.path = url.pathname + url.search;
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    // Asked for before the page began to follow, which has all of that; or before somebody has paused.
    if (detail.target === list && (poller().hasAttribute("data-followed") || isLivePaused())) detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target !== list) return;
    // The answer has brought another poller, which knows how far it came.
    place = placeOf(poller());
    rowsOnPage.trim();
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    // Not `detail.elt`: where the answer replaced the poller, that is one of its parents.
    if (detail.requestConfig.elt.id !== "tail-poller") return;
    if (!detail.successful) {
      if (!detail.xhr?.status || detail.xhr.status >= 500) lose();
      return;
    }
    find();
    follow();
  });

  function change() {
    if (!document.hidden && !isLivePaused()) follow();
    else {
      stop();
      clearTimeout(news);
      news = 0;
    }
  }

  document.addEventListener("visibilitychange", change);
  document.addEventListener("eventflow:live-paused", change);
  window.addEventListener("online", () => { nextTryAt = 0; follow(); });
  // Before the page goes: the browser would call it an interruption.
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", change);
  follow();
}

function placeOf(element) {
  return new URL(element.getAttribute("hx-get"), location.href).searchParams.get("at");
}
