/**
 * Columns of figures, as `ps` and `top` show them: as many as fit a terminal, all of them in a pipe.
 *
 * @module
 */
import Table from "cli-table3";
import { oneLine } from "./output.ts";

/** One column. */
export interface Column<T> {
  /** Its heading. */
  readonly head: string;
  /** Whether figures are lined up at their ends. */
  readonly right?: boolean;
  /** The columns with the greatest numbers go first where a terminal is too narrow; 0 stays. */
  readonly droppable: number;
  /** What a row has in it. */
  readonly cell: (row: T) => string;
}

const GAP = 2;

/** The last column is cut to no less than that. */
const LEAST_LAST = 20;

const NO_FRAME = Object.fromEntries(
  ["top", "bottom", "mid", "left", "right"].flatMap((side) =>
    [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((name) => [name, ""])
  ).concat([["left-mid", ""], ["mid-mid", ""], ["right-mid", ""], ["middle", ""]]),
);

/**
 * Lays out rows under a heading, a line each.
 *
 * @param width The terminal's width, to which lines are cut; `null` for whole lines.
 */
export function layOut<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  width: number | null,
): string[] {
  const all = columns.map(({ head, cell }) => [head, ...rows.map((row) => oneLine(cell(row)))]);
  const widths = all.map((cells) => Math.max(...cells.map((text) => text.length)) + GAP);
  const shown = width === null ? columns.map(() => true) : fit(columns, widths, width);
  const kept = columns.map((_, index) => index).filter((index) => shown[index]);
  const fixed = kept.slice(0, -1).reduce((sum, index) => sum + (widths[index] ?? 0), 0);
  const last = kept.at(-1) ?? 0;
  const lastWidth = width === null ? widths[last] ?? 0 : Math.max(1, width - fixed);
  const table = new Table({
    chars: NO_FRAME,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    colAligns: kept.map((index) => columns[index]?.right === true ? "right" : "left"),
    colWidths: kept.map((index) => index === last ? lastWidth : widths[index] ?? 0),
  });
  for (let row = 0; row <= rows.length; row++) {
    table.push(kept.map((index) => cellText(all[index]?.[row] ?? "", columns[index])));
  }
  return table.toString().split("\n").map((line) => line.trimEnd());
}

/** The gap between columns is before figures and after words. */
function cellText<T>(text: string, column: Column<T> | undefined): string {
  return column?.right === true ? `${text}${" ".repeat(GAP)}` : text;
}

/** Which columns are shown, so that the last one has room. */
function fit<T>(
  columns: readonly Column<T>[],
  widths: readonly number[],
  width: number,
): boolean[] {
  const shown = columns.map(() => true);
  const order = columns.map(({ droppable }, index) => ({ droppable, index }))
    .filter(({ droppable }) => droppable > 0)
    .sort((a, b) => b.droppable - a.droppable);
  const taken = (): number =>
    widths.slice(0, -1).reduce((sum, each, index) => sum + (shown[index] ? each : 0), LEAST_LAST);
  for (const { index } of order) {
    if (taken() <= width) break;
    shown[index] = false;
  }
  return shown;
}
