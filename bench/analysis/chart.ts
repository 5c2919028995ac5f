/**
 * The chart in README: one picture with its own colours for light and dark, as a page of its own
 * cannot be shown there.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { type Axis, ratioAxis } from "../../lib/watch/compare/axis.ts";
import { element, escaped } from "../../lib/watch/html.ts";
import { COLOURS } from "../../lib/watch/compare/page-style.ts";
import { METRIC_VIEWS, type MetricView, type RatioRow, ratioRows } from "../report/figures.ts";
import { ratioText, titlesOf } from "../report/numbers.ts";
import { lookOf } from "../report/palette.ts";
import type { Results } from "../suite/results.ts";
import { BURST, PROFILE_SUBJECT } from "./bounds.ts";

const STYLE = new URL("../report/page.css", import.meta.url);
const AXIS = "÷ glibc’s in the same round (no unit); bars: their intervals";

/** Pixels. */
const SIZE = { width: 720, row: 19, names: 170, figures: 50, foot: 46 } as const;
const PLOT = SIZE.width - SIZE.names - SIZE.figures;

/** The colours of the report's page, without its layout. */
function colours(): string {
  const rules = readFileSync(STYLE, "utf8").split("\n.said {")[0] ?? "";
  return `${COLOURS}${rules}
svg { background:var(--page); font:12px system-ui,sans-serif } text { fill:var(--text) }
.group { font-weight:600 } .quiet { fill:var(--quiet) } .figure { text-anchor:end }
.tick { text-anchor:middle; fill:var(--quiet) } .grid { stroke:var(--line) }
.one { stroke:var(--text) }`;
}

function text(kind: string, x: number, y: number, words: string): string {
  return element("text", { class: kind, x: `${x}`, y: `${y}` }, escaped(words));
}

function xOf(axis: Axis, value: number): string {
  return (SIZE.names + axis.place(value) / 100 * PLOT).toFixed(1);
}

function line(kind: string, x: string, height: number): string {
  return `<line class="${kind}" x1="${x}" x2="${x}" y1="0" y2="${height}"/>`;
}

function mark(axis: Axis, { subject, ratio: { median, low, high } }: RatioRow, y: number): string {
  const { colour } = lookOf(subject);
  const interval = low === null || high === null
    ? ""
    : `<line x1="${xOf(axis, low)}" x2="${xOf(axis, high)}" y1="${y}" y2="${y}" ` +
      `style="stroke:${colour};stroke-width:2.5"/>`;
  return `${interval}<circle cx="${xOf(axis, median)}" cy="${y}" r="4" style="fill:${colour}"/>`;
}

function groupTitle({ metric, title }: MetricView): string {
  return metric === "throughput" ? `${title} (more is better)` : `${title} (less is better)`;
}

/**
 * The burst of documents in Node under each profile, as an SVG file.
 *
 * @throws {Error} when the results lack that case.
 */
export function burstChart(results: Results): string {
  const titles = titlesOf(results);
  const groups = METRIC_VIEWS.map((view) => ({
    title: groupTitle(view),
    rows: ratioRows(results, view.metric)
      .filter(({ case: id, subject }) => id === BURST && PROFILE_SUBJECT.test(subject)),
  })).filter(({ rows }) => rows.length > 0);
  const all = groups.flatMap(({ rows }) => rows);
  if (all.length === 0) {
    throw new Error(`Cannot draw README's chart: the results lack the case ${BURST}`);
  }
  const axis = ratioAxis(all.map(({ ratio }) => ratio));
  const parts: string[] = [];
  let y = SIZE.row / 2;
  for (const { title, rows } of groups) {
    parts.push(text("group", 4, y + 4, title));
    y += SIZE.row;
    for (const row of rows) {
      parts.push(
        text("figure", SIZE.names - 10, y + 4, titles.subject(row.subject)),
        mark(axis, row, y),
        text("figure", SIZE.width - 4, y + 4, ratioText(row.ratio.median)),
      );
      y += SIZE.row;
    }
  }
  const bottom = y - SIZE.row / 2;
  const grid = axis.ticks.flatMap((tick) => [
    line(tick === 1 ? "one" : "grid", xOf(axis, tick), bottom),
    text("tick", Number(xOf(axis, tick)), bottom + 16, String(tick)),
  ]);
  const label = `A burst of documents in Node 26 under each profile: ratios ${AXIS}`;
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${SIZE.width} ${bottom + SIZE.foot}`,
      width: `${SIZE.width}`,
      height: `${bottom + SIZE.foot}`,
      role: "img",
      "aria-label": label,
    },
    element("style", {}, colours()),
    element("title", {}, escaped(label)),
    ...grid,
    ...parts,
    text("quiet", 4, bottom + SIZE.foot - 10, AXIS),
  ) + "\n";
}
