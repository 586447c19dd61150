// Times in the viewer's zone, with the exact UTC on hover. Without scripts the server's UTC text stays.
import { LANGUAGE, onContent } from "./dom.js";

const clock = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const precise = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 };
const exact = new Intl.DateTimeFormat(LANGUAGE, precise);
const dayAndExact = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", ...precise });
const dayAndClock = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "long" });
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

function write(element) {
  const date = new Date(element.dateTime);
  if (Number.isNaN(date.getTime())) return;
  const style = element.dataset.time;
  const isToday = date.toDateString() === new Date().toDateString();
  let text;
  if (style === "ago") text = ago(date);
  else if (style === "full") text = full.format(date);
  else if (style === "exact") text = (isToday ? exact : dayAndExact).format(date);
  else text = (isToday ? clock : dayAndClock).format(date);
  if (element.textContent !== text) element.textContent = text;
  element.title = `${element.dateTime} (UTC)`;
}

/** What a `datetime-local` field says in the viewer's zone goes to the server as UTC, and comes back the other way. */
function startLocalFields() {
  onContent("input[data-local-time]", (field) => {
    const date = new Date(`${field.getAttribute("value")}Z`);
    if (Number.isNaN(date.getTime())) return;
    field.value = new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  });
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
  startLocalFields();
  onContent("time[data-time]", write);
  setInterval(() => document.querySelectorAll('time[data-time="ago"]').forEach(write), 5000);
}
