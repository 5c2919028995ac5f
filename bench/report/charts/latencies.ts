/**
 * Percentiles of the time of a call, on a logarithmic axis.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import type { Latency } from "../../suite/format.ts";
import type { Document, Element } from "../dom.ts";
import { tickTime } from "../numbers.ts";
import { INK } from "../palette.ts";
import { draw, type Form, roomyTicks } from "./plot.ts";
import { axisTitle } from "./ratios.ts";
import { type ChartRow, layOut, rowColour } from "./rows.ts";

/** Percentiles of one call under one subject. */
export interface LatencyMark extends ChartRow {
  readonly latency: Latency;
}

/** The percentiles that are drawn, and by which sign. */
export const PERCENTILES = [
  { part: "p50", title: "p50", symbol: "circle", sign: "●" },
  { part: "p95", title: "p95", symbol: "square", sign: "■" },
  { part: "p99", title: "p99", symbol: "triangle", sign: "▲" },
  { part: "p999", title: "p99.9", symbol: "diamond", sign: "◆" },
  { part: "max", title: "greatest", symbol: "times", sign: "×" },
] as const;

const MARGIN_RIGHT = 14;
const TICK_GAP = 48;
const AIR = 1.3;
const POWERS = 11;
const TICKS = Array.from({ length: POWERS }, (_, power) => 10 ** power);

/** A clock may say 0 for what is faster than its step; a logarithm needs more than that. */
const MIN_NS = 1;

/** Draws percentiles. */
export function latencyChart(
  document: Document,
  form: Form,
  label: string,
  axis: string,
  marks: readonly LatencyMark[],
): Element {
  const { rows, marks: labels, ...layout } = layOut(marks, form);
  const points = rows.flatMap((row) =>
    PERCENTILES.map(({ part, symbol }) => ({
      ...row,
      symbol,
      value: Math.max(MIN_NS, row.latency[part]),
    }))
  );
  const values = points.map(({ value }) => value);
  const domain: [number, number] = [Math.min(...values) / AIR, Math.max(...values) * AIR];
  const length = form.width - layout.marginLeft - MARGIN_RIGHT;
  const ticks = roomyTicks(TICKS, domain, length, TICK_GAP);
  const scale = { ticks, text: tickTime, label: null, color: INK.text } as const;
  const place = { y: "key", x: "value", symbol: "symbol", r: 3.5 } as const;
  return draw(document, form, label, {
    ...layout,
    marginRight: MARGIN_RIGHT,
    x: { type: "log", domain, label: null },
    symbol: { type: "identity" },
    marks: [
      Plot.axisX({ ...scale, anchor: "top" }),
      Plot.axisX({ ...scale, anchor: "bottom" }),
      Plot.gridX({ ticks, stroke: INK.line, strokeOpacity: 0.8 }),
      ...labels,
      Plot.link(rows, {
        y1: "key",
        y2: "key",
        x1: ({ latency }: LatencyMark) => Math.max(MIN_NS, latency.p50),
        x2: ({ latency }: LatencyMark) => Math.max(MIN_NS, latency.max),
        stroke: rowColour,
        strokeOpacity: 0.5,
      }),
      Plot.dot(points.filter(({ symbol }) => symbol !== "times"), { ...place, fill: rowColour }),
      Plot.dot(points.filter(({ symbol }) => symbol === "times"), {
        ...place,
        stroke: rowColour,
        strokeWidth: 2,
      }),
      axisTitle(axis, form, layout),
    ],
  });
}
