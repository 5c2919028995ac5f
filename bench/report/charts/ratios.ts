/**
 * Ratios with their intervals, on a logarithmic axis around 1.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import type { Document, Element } from "../dom.ts";
import { ratioText } from "../numbers.ts";
import { INK } from "../palette.ts";
import { draw, type Form, roomyTicks } from "./plot.ts";
import { type ChartRow, layOut, rowColour } from "./rows.ts";

/** One ratio. */
export interface RatioMark extends ChartRow {
  readonly median: number;
  readonly low: number | null;
  readonly high: number | null;
}

const MARGIN_RIGHT = 46;
/** The least that an axis spans, so that noise does not look like a difference. */
const MIN_SPAN: readonly [number, number] = [0.8, 1.25];
/** Free space at both ends of the axis. */
const AIR = 1.04;
const TICK_GAP = 34;
const TICKS: readonly number[] = [
  ...[1, 0.5, 2, 0.1, 10, 0.01, 100, 0.2, 5, 0.02, 50, 0.05, 20, 0.001, 1000],
  ...[1.5, 0.7, 3, 0.3, 0.8, 1.2, 0.9, 1.1, 0.95, 1.05],
];

/** The ends of the axis. */
export function ratioDomain(marks: readonly RatioMark[]): [number, number] {
  const all = marks.flatMap(({ median, low, high }) => [median, low ?? median, high ?? median]);
  return [
    Math.min(MIN_SPAN[0], ...all) / AIR,
    Math.max(MIN_SPAN[1], ...all) * AIR,
  ];
}

/** Draws ratios; the axis's label says of what, to what, and which way is better. */
export function ratioChart(
  document: Document,
  form: Form,
  label: string,
  axis: string,
  marks: readonly RatioMark[],
): Element {
  const { rows, marks: labels, ...layout } = layOut(marks, form);
  const domain = ratioDomain(marks);
  const length = form.width - layout.marginLeft - MARGIN_RIGHT;
  const ticks = roomyTicks(TICKS, domain, length, TICK_GAP);
  const bars = rows.filter(({ low, high }) => low !== null && high !== null);
  const scale = { ticks, text: String, label: null, color: INK.text } as const;
  return draw(document, form, label, {
    ...layout,
    marginRight: MARGIN_RIGHT,
    x: { type: "log", domain, label: null },
    marks: [
      Plot.axisX({ ...scale, anchor: "top" }),
      Plot.axisX({ ...scale, anchor: "bottom" }),
      Plot.gridX({ ticks, stroke: INK.line, strokeOpacity: 0.8 }),
      Plot.ruleX([1], { stroke: INK.text, strokeWidth: 1.5 }),
      ...labels,
      Plot.ruleY(bars, { y: "key", x1: "low", x2: "high", stroke: rowColour, strokeWidth: 2.5 }),
      Plot.dot(rows, { y: "key", x: "median", fill: rowColour, r: 4 }),
      Plot.text(rows, {
        y: "key",
        text: ({ median }: RatioMark) => ratioText(median),
        frameAnchor: "right",
        textAnchor: "end",
        dx: MARGIN_RIGHT - 2,
        fill: INK.text,
        fontVariant: "tabular-nums",
      }),
      axisTitle(axis, form, layout),
    ],
  });
}

/** The axis's label below its ticks, in as many lines as it needs. */
export function axisTitle(
  text: string,
  form: Form,
  { marginLeft }: { readonly marginLeft: number },
): Plot.Markish {
  return Plot.text([text], {
    frameAnchor: "bottom-left",
    textAnchor: "start",
    lineAnchor: "top",
    dx: -marginLeft,
    dy: 26,
    lineWidth: (form.width - 4) / form.fontSize,
    fill: INK.faint,
  });
}
