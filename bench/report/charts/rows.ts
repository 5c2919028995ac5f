/**
 * Charts whose rows are subjects, in groups that have a title each.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { INK, lookOf } from "../palette.ts";
import { type Form, textWidth } from "./plot.ts";

/** A row of a chart. */
export interface ChartRow {
  /** The group's title; rows of one group are together. */
  readonly group: string;
  /** The row's label. */
  readonly label: string;
  /** The subject's id, by which it is coloured. */
  readonly subject: string;
}

/** A row with its place. */
export type Placed<R extends ChartRow> = R & { readonly key: string };

/** Rows with their places, and their axis. */
export interface RowLayout<R extends ChartRow> {
  readonly rows: readonly Placed<R>[];
  readonly height: number;
  readonly marginLeft: number;
  readonly marginTop: number;
  readonly marginBottom: number;
  readonly y: Plot.ScaleOptions;
  /** The groups' titles, the rows' labels, and a faint line for each row. */
  readonly marks: readonly Plot.Markish[];
}

const ROW_HEIGHT = 18;
const MARGIN_TOP = 26;
const MARGIN_BOTTOM = 50;
const LABEL_GAP = 10;

/** Puts rows below one another, each group below its title. */
export function layOut<R extends ChartRow>(rows: readonly R[], form: Form): RowLayout<R> {
  const domain: string[] = [];
  const titles: { key: string; title: string }[] = [];
  const placed: Placed<R>[] = [];
  for (const [group, members] of Map.groupBy(rows, (row) => row.group)) {
    const title = `${group}\u0000`;
    domain.push(title);
    titles.push({ key: title, title: group });
    for (const row of members) {
      const key = `${group}\u0000${row.label}`;
      domain.push(key);
      placed.push({ ...row, key });
    }
  }
  const marginLeft = LABEL_GAP +
    Math.ceil(Math.max(0, ...rows.map(({ label }) => textWidth(label, form))));
  return {
    rows: placed,
    height: domain.length * ROW_HEIGHT + MARGIN_TOP + MARGIN_BOTTOM,
    marginLeft,
    marginTop: MARGIN_TOP,
    marginBottom: MARGIN_BOTTOM,
    y: { type: "band", domain, axis: null, padding: 0 },
    marks: [
      Plot.ruleY(placed, { y: "key", stroke: INK.line, strokeOpacity: 0.6 }),
      Plot.text(titles, {
        y: "key",
        text: "title",
        frameAnchor: "left",
        textAnchor: "start",
        dx: -marginLeft,
        fontWeight: "bold",
        fill: INK.text,
        stroke: "var(--paper)", // a halo, where lines pass behind
        strokeWidth: 4,
      }),
      Plot.text(placed, {
        y: "key",
        text: "label",
        frameAnchor: "left",
        textAnchor: "end",
        dx: -LABEL_GAP,
        fill: INK.text,
      }),
    ],
  };
}

/** A row's colour. */
export function rowColour({ subject }: ChartRow): string {
  return lookOf(subject).colour;
}
