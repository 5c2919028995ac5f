/**
 * Charts as HTML: rows with marks on one axis, and lines over time. Places are parts of the width, so
 * that a chart fits any, and no script has to draw it.
 *
 * @module
 */
import { type Axis, linearAxis } from "./axis.ts";
import { element, escaped } from "../html.ts";
import type { Ratio } from "./types.ts";

/** A row of a chart. */
export interface ChartRow {
  /** The title of the rows that it is one of; none in a chart of one group. */
  readonly group?: string;
  readonly name: string;
  /** A class of the style sheet. */
  readonly kind?: string;
  /** Of its marks, as CSS has it. */
  readonly colour?: string;
  /** Its marks, as the functions below make them. */
  readonly marks: string;
  /** Its figures. */
  readonly words: string;
}

/** A chart of rows. */
export interface RowChart {
  /** What it shows, for readers who cannot see it. */
  readonly label: string;
  /** A class of the style sheet: `ratios` marks 1 in the middle. */
  readonly kind?: "ratios";
  readonly axis: Axis;
  readonly tickText: (value: number) => string;
  readonly rows: readonly ChartRow[];
}

function percent(value: number): string {
  return `${Number(value.toFixed(2))}%`;
}

function span(axis: Axis, kind: string, from: number, to: number, colour = ""): string {
  const left = axis.place(from);
  const style = `left:${percent(left)};width:${percent(axis.place(to) - left)}`;
  return `<i class="${kind}" style="${style}${colour}"></i>`;
}

/** A ratio with its interval, and the band of what counts as the same. */
export function ratioMarks(
  axis: Axis,
  { median, low, high }: Pick<Ratio, "median" | "low" | "high">,
  band: number | null,
): string {
  const same = band === null ? "" : span(axis, "band", 1 - band, 1 + band);
  const interval = low === null || high === null ? "" : span(axis, "interval", low, high);
  return `${same}${interval}<i class="dot" style="left:${percent(axis.place(median))}"></i>`;
}

/** A bar from one value to another. */
export function barMark(axis: Axis, from: number, to: number, colour: string): string {
  return span(axis, "bar", from, to, `;background:${colour}`);
}

/** A thin line from one value to another. */
export function lineMark(axis: Axis, from: number, to: number): string {
  return span(axis, "range", from, to);
}

/** A sign at a value. */
export function signMark(axis: Axis, value: number, sign: string): string {
  return `<b class="sign" style="left:${percent(axis.place(value))}">${escaped(sign)}</b>`;
}

function rowElement({ name, kind = "", colour, marks, words }: ChartRow): string {
  return element(
    "div",
    { class: `row ${kind}`.trim(), ...(colour === undefined ? {} : { style: `--dot:${colour}` }) },
    element("span", { class: "name" }, escaped(name)),
    element("div", { class: "track" }, marks),
    element("span", { class: "words" }, escaped(words)),
  );
}

function ticksElement({ axis, tickText }: RowChart): string {
  const ticks = axis.ticks.map((value) =>
    element("b", { style: `left:${percent(axis.place(value))}` }, escaped(tickText(value)))
  );
  return `<div class="row scale"><span></span><div class="track">${ticks.join("")}</div>` +
    "<span></span></div>";
}

/** A chart of rows, each group below its title. */
export function rowChart(chart: RowChart): string {
  const groups = [...Map.groupBy(chart.rows, ({ group }) => group)].map(([group, rows]) =>
    (group === undefined ? "" : element("div", { class: "group" }, escaped(group))) +
    rows.map(rowElement).join("")
  );
  return element(
    "div",
    { class: `chart ${chart.kind ?? ""}`.trim(), role: "group", "aria-label": chart.label },
    ...groups,
    ticksElement(chart),
  );
}

/** A line over time. */
export interface TimeLine {
  readonly title: string;
  /** As CSS has it. */
  readonly colour: string;
  /** An SVG dash pattern; none is a solid line. */
  readonly dash?: string;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}

/** A part of the time with a name. */
export interface Phase {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** A chart of lines over time. */
export interface TimeChart {
  readonly label: string;
  readonly lines: readonly TimeLine[];
  /** Every second one is shaded. */
  readonly phases?: readonly Phase[];
  readonly secondsText: (seconds: number) => string;
  readonly valueText: (value: number) => string;
  /** What the ticks of values are multiples of: bytes are counted in powers of two. */
  readonly unit?: number;
}

const BOX = { width: 1000, height: 300 } as const;
/** More points than this are not to be seen. */
const MAX_POINTS = 400;

/** At most so many points, the greatest of each stretch, so that no peak is lost. */
export function thinned(points: TimeLine["points"], limit = MAX_POINTS): TimeLine["points"] {
  const stretch = Math.max(1, Math.ceil(points.length / limit));
  if (stretch === 1) return points;
  return Array.from(
    { length: Math.ceil(points.length / stretch) },
    (_, index) =>
      points.slice(index * stretch, (index + 1) * stretch)
        .reduce((most, point) => point[1] > most[1] ? point : most),
  );
}

/** Colours of lines that have none of their own; the style sheet has as many. */
const COLOURS = 8;

/** The colour of a line by its place. */
export function lineColour(index: number): string {
  return `var(--c${index % COLOURS})`;
}

/** A sign for a legend: a piece of the line. */
function legendItem({ title, colour, dash = "none" }: TimeLine): string {
  const line = `<line x1="0" x2="26" y1="6" y2="6" style="stroke:${colour}" ` +
    `stroke-dasharray="${dash}"/>`;
  return `<li><svg width="26" height="12" aria-hidden="true">${line}</svg>${escaped(title)}</li>`;
}

function shade(across: Axis, phases: readonly Phase[]): string {
  return phases.map(({ name, from, to }, index) => {
    const left = across.place(from);
    const width = across.place(to) - left;
    const style = `left:${percent(left)};width:${percent(width)}`;
    // A name is written where there is room for it.
    const words = width * 1.2 > name.length ? escaped(name) : "";
    return `<i class="phase${index % 2 === 1 ? " odd" : ""}" style="${style}">${words}</i>`;
  }).join("");
}

/** A chart of lines. */
export function timeChart(chart: TimeChart): string {
  const { label, lines, phases = [], secondsText, valueText, unit = 1 } = chart;
  const all = lines.flatMap(({ points }) => points);
  const across = linearAxis(Math.max(...all.map(([seconds]) => seconds)));
  const up = linearAxis(Math.max(...all.map(([, value]) => value)) / unit);
  const x = (seconds: number): string => (across.place(seconds) / 100 * BOX.width).toFixed(1);
  const y = (value: number): string => ((1 - up.place(value / unit) / 100) * BOX.height).toFixed(1);
  const drawn = lines.map(({ title, colour, dash = "none", points }) =>
    `<polyline style="stroke:${colour}" stroke-dasharray="${dash}" points="${
      thinned(points).map(([seconds, value]) => `${x(seconds)},${y(value)}`).join(" ")
    }"><title>${escaped(title)}</title></polyline>`
  );
  const heights = up.ticks.map((value) =>
    element("b", { style: `bottom:${percent(up.place(value))}` }, escaped(valueText(value * unit)))
  );
  const times = across.ticks.map((value) =>
    element("b", { style: `left:${percent(across.place(value))}` }, escaped(secondsText(value)))
  );
  return element("ul", { class: "legend" }, ...lines.map(legendItem)) +
    element(
      "div",
      { class: "curve" },
      element("div", { class: "heights" }, ...heights),
      element(
        "div",
        { class: "area" },
        shade(across, phases),
        `<svg viewBox="0 0 ${BOX.width} ${BOX.height}" preserveAspectRatio="none" role="img" ` +
          `aria-label="${escaped(label)}">${drawn.join("")}</svg>`,
      ),
      element("div", { class: "times" }, ...times),
    );
}
