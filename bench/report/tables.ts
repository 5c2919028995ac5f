/**
 * The report's tables as data: HTML and Markdown are made of the same.
 *
 * @module
 */
import { median } from "simple-statistics";
import type { Results } from "../suite/results.ts";
import { BASELINE } from "../suite/subjects.ts";
import { caseTable, machineTable, subjectTable } from "./about-tables.ts";
import type { Table } from "./table.ts";
import {
  isNative,
  latencyRows,
  METRIC_VIEWS,
  type MetricView,
  phaseRows,
  type RatioRow,
  ratioRows,
  SPLIT_PARTS,
  splitRows,
} from "./figures.ts";
import {
  coverageText,
  intervalText,
  mebibytes,
  ratioText,
  short,
  timeText,
  titlesOf,
  valueText,
} from "./numbers.ts";

/** The table of one metric: values, and ratios to the system allocator. */
function metricTable(results: Results, { metric, name, title }: MetricView): Table {
  const titles = titlesOf(results);
  const rows = results.summary.filter((row) =>
    row.metric === metric && (row.ratio === undefined || row.ratio.baseline === BASELINE)
  );
  return {
    name,
    title: `${title}, ratio to the system allocator in the same round`,
    head: ["case", "subject", "value (median)", "ratio", "interval", "covers", "pairs"],
    words: 2,
    rows: rows.map((row) => [
      titles.case(row.case),
      titles.subject(row.subject),
      valueText(row, titles.counts(row.case)),
      ...(row.ratio === undefined ? ["baseline", "", "", ""] : [
        ratioText(row.ratio.median),
        intervalText(row.ratio),
        coverageText(row.ratio.coverage),
        String(row.ratio.pairs),
      ]),
    ]),
  };
}

function overCases(rows: readonly RatioRow[], subject: string): string {
  const own = rows.filter((row) => row.subject === subject).map(({ ratio }) => ratio.median);
  if (own.length === 0) return "–";
  if (own.length === 1) return ratioText(own[0] ?? NaN);
  const [least, most] = [Math.min(...own), Math.max(...own)].map(ratioText);
  return `${ratioText(median(own))} (${least}\u00a0to\u00a0${most})`;
}

/** One row a subject: the middle of its cases' ratios, and the least and greatest. */
function overviewTable(results: Results): Table {
  const throughput = ratioRows(results, "throughput");
  const native = throughput.filter((row) => isNative(results, row.case));
  const scripts = throughput.filter((row) => !isNative(results, row.case));
  const columns: readonly (readonly [string, readonly RatioRow[]])[] = [
    ["throughput, JavaScript", scripts],
    ["throughput, native", native],
    ["peak resident", ratioRows(results, "peakResident")],
    ["idle resident", ratioRows(results, "idleResident")],
    ["page faults", ratioRows(results, "minorFaults")],
  ];
  const shown = columns.filter(([, rows]) => rows.length > 0);
  return {
    name: "overview",
    title: "Ratios to the system allocator: median of the cases (least to greatest)",
    head: ["subject", ...shown.map(([title]) => title)],
    words: 1,
    rows: results.subjects.filter(({ id }) => id !== BASELINE).map(({ id, title }) => [
      title,
      ...shown.map(([, rows]) => overCases(rows, id)),
    ]),
  };
}

/** The limit for a build of ours: its time over the other build's. */
export const BUILD_LIMIT = 1.03;

/** Rows that compare our builds with others. */
export function buildRows(results: Results): RatioRow[] {
  return results.summary.filter((row): row is RatioRow =>
    row.ratio !== undefined && row.ratio.baseline !== BASELINE
  );
}

/** Our builds beside Debian's, by time. */
export function buildTable(results: Results): Table {
  const titles = titlesOf(results);
  return {
    name: "builds",
    title: `Our builds’ time over Debian’s (at most ${BUILD_LIMIT} is the aim)`,
    head: [
      "case",
      "our build",
      "baseline",
      "time (median)",
      "ratio",
      "interval",
      "covers",
      "pairs",
    ],
    words: 3,
    rows: buildRows(results).map((row) => [
      titles.case(row.case),
      titles.subject(row.subject),
      titles.subject(row.ratio.baseline),
      valueText(row, ""),
      ratioText(row.ratio.median),
      intervalText(row.ratio),
      coverageText(row.ratio.coverage),
      String(row.ratio.pairs),
    ]),
  };
}

/** All latencies. */
function latencyTable(results: Results): Table {
  const titles = titlesOf(results);
  return {
    name: "latency",
    title: "Time a call, or an item of work: medians over rounds of each percentile",
    head: ["case", "call", "subject", "p50", "p95", "p99", "p99.9", "max", "calls"],
    words: 3,
    rows: latencyRows(results).map(({ case: id, call, subject, latency }) => [
      titles.case(id),
      call,
      titles.subject(subject),
      ...[latency.p50, latency.p95, latency.p99, latency.p999, latency.max].map(timeText),
      short(latency.count),
    ]),
  };
}

/** Resident memory at the end of the last idle phase. */
export function splitTable(results: Results): Table {
  const titles = titlesOf(results);
  return {
    name: "split",
    title: "Resident memory at the end of the last idle phase, MiB",
    head: ["case", "subject", ...SPLIT_PARTS, "resident"],
    words: 2,
    rows: splitRows(results).map(({ case: id, subject, parts }) => [
      titles.case(id),
      titles.subject(subject),
      ...SPLIT_PARTS.map((part) => mebibytes(parts[part])),
      mebibytes(SPLIT_PARTS.reduce((sum, part) => sum + parts[part], 0)),
    ]),
  };
}

/** Each phase of the memory over time. */
export function phaseTable(results: Results): Table {
  const titles = titlesOf(results);
  return {
    name: "phases",
    title: "Resident memory by phase, MiB",
    head: ["case", "subject", "phase", "from (s)", "greatest", "at its end"],
    words: 3,
    rows: phaseRows(results).map((row) => [
      titles.case(row.case),
      titles.subject(row.subject),
      row.phase,
      short(row.start / 1000),
      mebibytes(row.greatest),
      mebibytes(row.last),
    ]),
  };
}

/** Every table that has rows, in the order of the report. */
export function allTables(results: Results): Table[] {
  return [
    overviewTable(results),
    ...METRIC_VIEWS.map((view) => metricTable(results, view)),
    buildTable(results),
    phaseTable(results),
    splitTable(results),
    latencyTable(results),
    caseTable(results),
    subjectTable(results),
    machineTable(results),
  ].filter(({ rows }) => rows.length > 0);
}
