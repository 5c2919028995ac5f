/**
 * Rows as a table.
 *
 * @module
 */
import Table from "cli-table3";
import { isAbove, limitOf } from "./limits.ts";
import type { Row } from "./rows.ts";

function shown(value: number): string {
  return value.toPrecision(value >= 100 ? Math.ceil(Math.log10(value)) : 3);
}

/** The rows, each with its limit. */
export function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: [
      "case",
      "runtime",
      "subject",
      "baseline",
      "unit",
      "subject",
      "baseline",
      "ratio",
      "limit",
    ],
    colAligns: ["left", "left", "left", "left", "left", "right", "right", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    const limit = limitOf(row);
    table.push([
      row.case,
      row.runtime,
      row.subject,
      row.baseline,
      row.unit,
      shown(row.subjectValue),
      shown(row.baselineValue),
      row.ratio.toFixed(row.ratio < 0.1 ? 4 : 3),
      limit === null ? "" : `${limit}${isAbove(row) ? " exceeded" : ""}`,
    ]);
  }
  return table.toString();
}
