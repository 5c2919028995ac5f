/**
 * Charts of the percentiles of calls' times.
 *
 * @module
 */
import { logAxis } from "../../lib/watch/compare/axis.ts";
import { type ChartRow, lineMark, rowChart, signMark } from "../../lib/watch/compare/charts.ts";
import type { CaseInfo, Results } from "../suite/results.ts";
import { BASELINE_TITLE, type Chart } from "./chart.ts";
import { type LatencyRow, latencyRows } from "./figures.ts";
import { tickTime, timeText, titlesOf } from "./numbers.ts";
import { lookOf } from "./palette.ts";

/** The percentiles that are drawn, and by which sign. */
const PERCENTILES = [
  { part: "p50", title: "p50", sign: "●" },
  { part: "p95", title: "p95", sign: "■" },
  { part: "p99", title: "p99", sign: "▲" },
  { part: "p999", title: "p99.9", sign: "◆" },
  { part: "max", title: "greatest", sign: "×" },
] as const;

/** About how many rows one chart of latencies shows; the table has all. */
const MAX_ROWS = 72;
/** A clock may say 0 for what is faster than its step; a logarithm needs more than that. */
const MIN_NS = 1;
const POWERS = Array.from({ length: 11 }, (_, power) => 10 ** power);

function latencyChart(
  results: Results,
  title: string,
  infos: readonly CaseInfo[],
  groupOf: (row: LatencyRow) => string,
): Chart[] {
  const titles = titlesOf(results);
  const ids = new Set(infos.map(({ id }) => id));
  const all = latencyRows(results).filter((row) => ids.has(row.case));
  const groups = [...Map.groupBy(all, groupOf)];
  const [first] = groups;
  if (first === undefined) return [];
  const shown = Math.max(1, Math.floor(MAX_ROWS / first[1].length));
  const rows = groups.slice(0, shown).flatMap(([group, members]) =>
    members.map(({ subject, latency }) => ({
      group,
      subject,
      values: PERCENTILES.map(({ part, sign }) => ({
        sign,
        value: Math.max(MIN_NS, latency[part]),
      })),
    }))
  );
  const values = rows.flatMap((row) => row.values.map(({ value }) => value));
  const axis = logAxis(Math.min(...values) / 1.3, Math.max(...values) * 1.3, POWERS);
  const text = "time a call, or an item of work (ns, logarithmic; 1 µs = 1000 ns); " +
    `baseline: ${BASELINE_TITLE}, the first row of a call`;
  const left = groups.length - shown;
  return [{
    section: "Latency",
    title,
    axis: text,
    note: "Medians over rounds of each percentile." +
      (left > 0 ? ` ${left} more kinds of calls are in the table.` : ""),
    legend: PERCENTILES.map((one) => ({ ...one, colour: "var(--text)" })),
    table: "latency",
    html: rowChart({
      label: `Percentiles of latency, ${title}: ${text}`,
      axis,
      tickText: tickTime,
      rows: rows.map(({ group, subject, values: each }): ChartRow => {
        const [least, greatest] = [each.at(0)?.value ?? MIN_NS, each.at(-1)?.value ?? MIN_NS];
        return {
          group,
          name: titles.subject(subject),
          colour: lookOf(subject).colour,
          marks: lineMark(axis, least, greatest) +
            each.map(({ value, sign }) => signMark(axis, value, sign)).join(""),
          words: `${timeText(least)} to ${timeText(greatest)}`,
        };
      }),
    }),
  }];
}

/** A chart for each case of a runtime, and one for all of the native program's. */
export function latencyCharts(results: Results): Chart[] {
  const titles = titlesOf(results);
  const isScript = ({ runtime }: CaseInfo): boolean => runtime !== "native";
  return [
    ...results.cases.filter(isScript).flatMap((info) =>
      latencyChart(results, info.title, [info], ({ call }) => call)
    ),
    ...latencyChart(
      results,
      "native allocation patterns",
      results.cases.filter((info) => !isScript(info)),
      (row) => `${titles.case(row.case)}: ${row.call}`,
    ),
  ];
}
