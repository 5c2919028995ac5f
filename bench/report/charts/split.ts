/**
 * Resident memory by its parts, stacked.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import type { Document, Element } from "../dom.ts";
import { SPLIT_PARTS, type SplitPart } from "../figures.ts";
import { short } from "../numbers.ts";
import { INK, PART_LOOKS } from "../palette.ts";
import { draw, type Form } from "./plot.ts";
import { axisTitle } from "./ratios.ts";
import { type ChartRow, layOut } from "./rows.ts";

/** The parts under one subject, in bytes. */
export interface SplitMark extends ChartRow {
  readonly parts: Readonly<Record<SplitPart, number>>;
}

const MIB = 2 ** 20;
const MARGIN_RIGHT = 46;
const TICKS: Readonly<Record<Form["name"], number>> = { wide: 8, narrow: 4 };
const AIR = 1.02;

function total({ parts }: SplitMark): number {
  return SPLIT_PARTS.reduce((sum, part) => sum + parts[part], 0);
}

/** Draws the parts. */
export function splitChart(
  document: Document,
  form: Form,
  label: string,
  axis: string,
  marks: readonly SplitMark[],
): Element {
  const { rows, marks: labels, ...layout } = layOut(marks, form);
  const bars = rows.flatMap((row) => {
    let from = 0;
    return SPLIT_PARTS.map((part) => {
      const start = from;
      from += row.parts[part] / MIB;
      return { key: row.key, part, from: start, to: from };
    });
  });
  const most = Math.max(0, ...rows.map(total)) / MIB;
  const scale = { ticks: TICKS[form.name], label: null, color: INK.text } as const;
  return draw(document, form, label, {
    ...layout,
    marginRight: MARGIN_RIGHT,
    x: { domain: [0, most * AIR], label: null },
    marks: [
      Plot.axisX({ ...scale, anchor: "top" }),
      Plot.axisX({ ...scale, anchor: "bottom" }),
      ...labels,
      Plot.barX(bars, {
        y: "key",
        x1: "from",
        x2: "to",
        fill: ({ part }: { part: SplitPart }) => PART_LOOKS[part].colour,
        stroke: "var(--paper)",
        strokeWidth: 0.75,
        insetTop: 2,
        insetBottom: 2,
      }),
      Plot.text(rows, {
        y: "key",
        text: (row: SplitMark) => short(total(row) / MIB),
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
