// Charts by uPlot. `<div data-chart="id">` draws what `<script type="application/json" id>` holds:
// `{"x": [unix seconds], "series": [{"label", "values", "unit"?}], "kind"?: "bars"}`. A live region renews the
// script, and the chart follows.
import { LANGUAGE, make, onContent } from "./dom.js";
import { ZONE, zoneName } from "./zone.js";

const charts = new Map();
const POWERS_OF_TWO = Array.from({ length: 55 }, (_, power) => 2 ** (power - 10));

/** A custom property's colour as the canvas needs it: resolved for the theme in force. */
function colour(name) {
  const probe = make("span", { class: "visually-hidden" });
  document.body.append(probe);
  probe.style.color = `var(${name})`;
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

function faded(rgb, alpha) {
  return rgb.replace(/^rgb\(/, "rgba(").replace(/\)$/, `, ${alpha})`);
}

export function shortNumber(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size < 10 && !Number.isInteger(value)) return String(Number(value.toPrecision(2)));
  if (Math.round(size) < 1000) return String(Math.round(value));
  return inUnits(value, 1000, ["k", "M", "G"], (scaled) => (Math.abs(scaled) >= 100 ? 0 : 1)).join("");
}

export function shortSize(value) {
  if (value === null || value === undefined) return "–";
  if (Math.round(value) < 1024) return `${value < 10 ? Number(value.toPrecision(2)) : Math.round(value)} B`;
  return inUnits(value, 1024, ["KiB", "MiB", "GiB"], (scaled) => (scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2)).join(" ");
}

/** A number as it is written, and the first unit of whose next one that is not a whole. */
function inUnits(value, step, units, digits) {
  let scaled = value;
  for (const unit of units) {
    scaled /= step;
    const written = Number(scaled.toFixed(digits(scaled)));
    if (Math.abs(written) < step || unit === units.at(-1)) return [written, unit];
  }
}

const formatOf = (data) => (data.unit === "bytes" ? shortSize : shortNumber);

function readData(holder) {
  const script = document.getElementById(holder.dataset.chart);
  return script ? JSON.parse(script.textContent) : null;
}

/** Times of day, or dates where the window is longer than a day or two. */
function momentFormat(data) {
  const isLong = data.x.at(-1) - data.x[0] > 2 * 86_400;
  const style = isLong ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" };
  return (mark) => new Intl.DateTimeFormat(LANGUAGE, { ...style, timeZone: ZONE }).format(new Date(mark * 1000));
}

function tooltip(holder, data) {
  const tip = make("div", { class: "chart-tip", hidden: true });
  const isLong = data.x.at(-1) - data.x[0] > 86_400;
  const time = new Intl.DateTimeFormat(LANGUAGE, { ...(isLong ? { day: "numeric", month: "short" } : {}), hour: "2-digit", minute: "2-digit", timeZone: ZONE });
  return {
    hooks: {
      init: [(plot) => plot.over.append(tip)],
      setCursor: [(plot) => {
        const { idx, left } = plot.cursor;
        tip.hidden = idx === null || idx === undefined || left < 0;
        if (tip.hidden) return;
        const parts = plot.series.slice(1).map((series, i) => [make("b", {}, formatOf(data)(plot.data[i + 1][idx])), ` ${series.label}`]);
        tip.replaceChildren(time.format(new Date(plot.data[0][idx] * 1000)), " · ", ...parts.flatMap((part, i) => (i ? [", ", ...part] : part)));
        const width = tip.offsetWidth;
        tip.style.left = `${left + width + 24 > plot.over.clientWidth ? left - width - 10 : left + 10}px`;
      }],
    },
  };
}

/** How high the chart reaches: little is to be seen as well as much, so only an empty one has a height of its own. */
function heightOf(high, data) {
  if (high > 0) return high * 1.15;
  return data.unit === "bytes" ? 64 : 1;
}

/** What no line leads to or from would not be seen: a value between two gaps is drawn as a point. */
function lonely(plot, number) {
  const values = plot.data[number];
  const isThere = (at) => values[at] !== null && values[at] !== undefined;
  return values.flatMap((_, at) => (isThere(at) && !isThere(at - 1) && !isThere(at + 1) ? [at] : []));
}

function options(holder, data) {
  const text = colour("--ink-faint");
  const format = formatOf(data);
  const grid = { stroke: colour("--chart-grid"), width: 1 };
  const font = "11px Inter, system-ui, sans-serif";
  const bars = data.kind === "bars" ? uPlot.paths.bars({ size: [0.75, 24], radius: 0.15 }) : undefined;
  return {
    width: Math.max(120, holder.clientWidth),
    height: Number(holder.dataset.height ?? 200),
    // On the right half of a time of day must fit, as "02:20 PM".
    padding: [8, 26, 0, 0],
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    legend: { show: false },
    // Where hours and days begin, in the zone of the page.
    tzDate: (mark) => (ZONE ? uPlot.tzDate(new Date(mark * 1000), ZONE) : new Date(mark * 1000)),
    scales: { x: { time: true }, y: { range: (_, low, high) => [0, heightOf(high, data)] } },
    axes: [
      { stroke: text, grid: { show: false }, ticks: { show: false }, font, space: 64, size: 26,
        values: (_, marks) => marks.map(momentFormat(data)) },
      { stroke: text, grid, ticks: { show: false }, font, size: data.unit === "bytes" ? 62 : 44, space: 36, incrs: data.unit === "bytes" ? POWERS_OF_TWO : undefined, values: (_, marks) => marks.map(format) },
    ],
    series: [{}, ...data.series.map((series, i) => {
      const stroke = colour(`--chart-${((Number(holder.dataset.hue ?? 1) - 1 + i) % 4) + 1}`);
      return { label: series.label, stroke, width: bars ? 0 : 1.75, fill: bars ? faded(stroke, 0.85) : faded(stroke, data.series.length > 1 ? 0.05 : 0.12), paths: bars, points: { show: false, size: 5, fill: stroke, filter: lonely } };
    })],
    plugins: [tooltip(holder, data)],
  };
}

function columns(data) {
  return [data.x, ...data.series.map((series) => series.values)];
}

function draw(holder) {
  const data = readData(holder);
  if (!data || typeof uPlot === "undefined") return;
  const known = charts.get(holder);
  const shape = JSON.stringify(data.series.map((series) => series.label));
  if (known && known.shape === shape && holder.contains(known.plot.root)) {
    known.plot.setData(columns(data));
    return;
  }
  known?.plot.destroy();
  holder.replaceChildren();
  charts.set(holder, { plot: new uPlot(options(holder, data), columns(data), holder), shape });
  holder.append(make("p", { class: "chart-zone" }, `Times in ${zoneName}`));
}

function redrawAll() {
  // A copy: drawing adds to the map that is walked.
  for (const [holder, { plot }] of [...charts]) {
    plot.destroy();
    charts.delete(holder);
    if (holder.isConnected) draw(holder);
  }
}

/** The server sends charts empty: a morph that took them at their word would throw away what was drawn. */
function keepDrawnCharts() {
  const before = Idiomorph.defaults.callbacks.beforeNodeMorphed;
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (old, fresh) => (charts.has(old) ? false : before(old, fresh));
}

export function startCharts() {
  keepDrawnCharts();
  onContent("[data-chart]", draw);
  document.addEventListener("htmx:afterSwap", () => document.querySelectorAll("[data-chart]").forEach(draw));
  document.addEventListener("eventflow:theme", redrawAll);
  let timer = 0;
  window.addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      for (const [holder, { plot }] of charts) {
        if (holder.isConnected) plot.setSize({ width: Math.max(120, holder.clientWidth), height: plot.height });
      }
    }, 120);
  });
}
