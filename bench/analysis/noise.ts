/**
 * What the machine does by itself: the system's allocator measured against itself.
 *
 * @module
 */
import { median } from "simple-statistics";
import { METRIC_VIEWS, type RatioRow, ratioRows } from "../report/figures.ts";
import { intervalText, ratioText, titlesOf } from "../report/numbers.ts";
import type { Table } from "../report/table.ts";
import type { Results } from "../suite/results.ts";
import { NOISE } from "../suite/subjects.ts";

function cellOf(results: Results, { case: id, ratio }: RatioRow): string {
  return `${ratioText(ratio.median)} (${intervalText(ratio)}), ${titlesOf(results).case(id)}`;
}

/** A row for each metric: what a ratio of 1 looked like in these cases. */
export function noiseTable(results: Results): Table {
  return {
    name: "noise",
    title: "The system’s allocator over itself in the same rounds: what differs from 1 is the " +
      "machine (median over cases; the least and the greatest case with their intervals)",
    words: 1,
    head: ["metric", "cases", "median", "least", "greatest"],
    rows: METRIC_VIEWS.flatMap(({ metric, title }) => {
      const rows = ratioRows(results, metric)
        .filter(({ subject }) => subject === NOISE)
        .sort((a, b) => a.ratio.median - b.ratio.median);
      const [least, greatest] = [rows.at(0), rows.at(-1)];
      if (least === undefined || greatest === undefined) return [];
      const middle = ratioText(median(rows.map(({ ratio }) => ratio.median)));
      const ends = [cellOf(results, least), cellOf(results, greatest)];
      return [[title, String(rows.length), middle, ...ends]];
    }),
  };
}
