// Times in the viewer's zone, with the exact UTC on hover. Without scripts the server's text stays.
import { LANGUAGE, on, onContent } from "./dom.js";
import { ZONE, isChosen } from "./zone.js";

const format = (style) => new Intl.DateTimeFormat(LANGUAGE, { ...style, timeZone: ZONE });
const seconds = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const precise = { ...seconds, fractionalSecondDigits: 3 };
const dayAndMonth = { day: "numeric", month: "short" };
const clock = format(seconds);
const exact = format(precise);
const dayAndExact = format({ ...dayAndMonth, ...precise });
const dayAndClock = format({ ...dayAndMonth, ...seconds });
const full = format({ dateStyle: "medium", timeStyle: "long" });
const day = format({ dateStyle: "short" });
const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto", style: "short" });
const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];

/** `3 min ago`, `in 5 sec`: the largest unit that is not a fraction. */
export function ago(date, now = new Date()) {
  let amount = (date - now) / 1000;
  if (Math.abs(amount) < 1.5) return "just now";
  for (const [unit, size] of STEPS) {
    if (Math.abs(amount) < size) return relative.format(Math.trunc(amount), unit);
    amount /= size;
  }
  return full.format(date);
}

/** Write a `<time data-time>` as the viewer reads it. */
export function writeTime(element) {
  const date = new Date(element.dateTime);
  if (Number.isNaN(date.getTime())) return;
  const style = element.dataset.time;
  const isToday = day.format(date) === day.format(new Date());
  let text;
  if (style === "ago") text = ago(date);
  else if (style === "full") text = full.format(date);
  else if (style === "exact") text = (isToday ? exact : dayAndExact).format(date);
  else text = (isToday ? clock : dayAndClock).format(date);
  if (element.textContent !== text) element.textContent = text;
  element.title = `${element.dateTime} (UTC)`;
}

const localText = (date) => new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

/** Clocks that are put forward skip an hour: the browser would take the next one for it, and say nothing. */
function refuseSkipped(field) {
  const isSkipped = field.value !== "" && !localText(new Date(field.value)).startsWith(field.value.slice(0, 19));
  field.setCustomValidity(isSkipped ? "Clocks skip this time: it is not there on that day." : "");
}

/** What a `datetime-local` field says in the browser's zone goes to the server as UTC, and comes back the other way. */
function startLocalFields() {
  const written = new WeakMap();
  onContent("input[data-local-time]", (field) => {
    const given = field.getAttribute("value");
    // A swap elsewhere on the page comes by here as well: what was typed since stays.
    if (written.get(field) === given) return;
    written.set(field, given);
    const date = new Date(`${given}Z`);
    if (!Number.isNaN(date.getTime())) field.value = localText(date);
  });
  on("input", "input[data-local-time]", refuseSkipped);
  const toUtc = (value) => new Date(value).toISOString();
  document.addEventListener("formdata", (event) => {
    for (const field of event.target.querySelectorAll("input[data-local-time]")) {
      if (field.value) event.formData.set(field.name, toUtc(field.value));
    }
  });
  document.addEventListener("htmx:configRequest", (event) => {
    const form = event.detail.elt.closest("form");
    for (const field of form?.querySelectorAll("input[data-local-time]") ?? []) {
      if (field.value && event.detail.parameters[field.name]) event.detail.parameters[field.name] = toUtc(field.value);
    }
  });
}

export function startTimes() {
  // In a chosen zone the server reads and writes them.
  if (!isChosen) startLocalFields();
  onContent("time[data-time]", writeTime);
  setInterval(() => document.querySelectorAll('time[data-time="ago"]').forEach(writeTime), 5000);
}
