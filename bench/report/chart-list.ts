/**
 * The charts of a report: what each shows, in what unit, against what. They are drawn by the engine of
 * `offheap compare`.
 *
 * @module
 */
import { linearAxis, ratioAxis } from "../../lib/watch/compare/axis.ts";
import {
  barMark,
  type ChartRow,
  ratioMarks,
  rowChart,
  timeChart,
} from "../../lib/watch/compare/charts.ts";
import type { Results } from "../suite/results.ts";
import { BASELINE_TITLE, type Chart } from "./chart.ts";
import {
  isNative,
  METRIC_VIEWS,
  type MetricView,
  phasesOf,
  ratioRows,
  seriesRows,
  SPLIT_PARTS,
  splitRows,
} from "./figures.ts";
import { latencyCharts } from "./latency-charts.ts";
import { intervalText, ratioText, short, titlesOf } from "./numbers.ts";
import { lookOf, PART_LOOKS } from "./palette.ts";

const MIB = 2 ** 20;

function metricCharts(results: Results, view: MetricView): Chart[] {
  const titles = titlesOf(results);
  const all = ratioRows(results, view.metric);
  const parts = [
    { title: "JavaScript programs", rows: all.filter((row) => !isNative(results, row.case)) },
    { title: "native allocation patterns", rows: all.filter((row) => isNative(results, row.case)) },
  ];
  return parts.filter(({ rows }) => rows.length > 0).map(({ title, rows }): Chart => {
    const axis = ratioAxis(rows.map(({ ratio }) => ratio));
    const label = `${view.title} of ${title}, by case and allocator: ${view.axis}`;
    return {
      section: view.title,
      title: `${view.title}: ${title}`,
      axis: view.axis,
      note: view.note,
      legend: [],
      table: view.name,
      html: rowChart({
        label,
        kind: "ratios",
        axis,
        tickText: String,
        rows: rows.map(({ case: id, subject, ratio }) => ({
          group: titles.case(id),
          name: titles.subject(subject),
          colour: lookOf(subject).colour,
          marks: ratioMarks(axis, ratio, null),
          words: `${ratioText(ratio.median)} (${intervalText(ratio)})`,
        })),
      }),
    };
  });
}

function seriesCharts(results: Results): Chart[] {
  const titles = titlesOf(results);
  const axis = `resident memory (MiB) over time (s); baseline: ${BASELINE_TITLE}, grey`;
  return [...Map.groupBy(seriesRows(results), (row) => row.case)].map(([id, rows]): Chart => {
    const [first] = rows;
    return {
      section: "Memory over time",
      title: titles.case(id),
      axis,
      note: "One run a subject. Every second phase is shaded, by the times of " +
        `${titles.subject(first?.subject ?? "")}: under another subject the same work may end ` +
        "sooner or later.",
      legend: [],
      table: "phases",
      html: timeChart({
        label: `Memory over time, ${titles.case(id)}: ${axis}`,
        lines: rows.map(({ subject, series: { time, resident } }) => ({
          title: titles.subject(subject),
          ...lookOf(subject),
          points: time.map((at, index) => [at / 1000, resident[index] ?? 0] as const),
        })),
        phases: first === undefined ? [] : phasesOf(first.series),
        secondsText: (seconds) => `${short(seconds)} s`,
        valueText: (bytes) => `${short(bytes / MIB)} MiB`,
        unit: MIB,
      }),
    };
  });
}

function splitCharts(results: Results): Chart[] {
  const titles = titlesOf(results);
  const rows = splitRows(results);
  if (rows.length === 0) return [];
  const text = `resident memory (MiB); baseline: ${BASELINE_TITLE}, the first row of a case`;
  const sums = rows.map(({ parts }) => SPLIT_PARTS.reduce((sum, part) => sum + parts[part], 0));
  const axis = linearAxis(Math.max(...sums) / MIB);
  return [{
    section: "What resident memory is made of",
    title: "At the end of the last idle phase",
    axis: text,
    note:
      "Array buffers are external, and live only by what goes beyond them. Where an allocator " +
      "cannot be asked, what it has counts as rest.",
    legend: SPLIT_PARTS.map((part) => ({ ...PART_LOOKS[part], sign: "■" })),
    table: "split",
    html: rowChart({
      label: `Parts of resident memory at the end of the last idle phase: ${text}`,
      axis,
      tickText: String,
      rows: rows.map(({ case: id, subject, parts }, index): ChartRow => {
        let from = 0;
        const bars = SPLIT_PARTS.map((part) => {
          const start = from;
          from += parts[part] / MIB;
          return barMark(axis, start, from, PART_LOOKS[part].colour);
        });
        return {
          group: titles.case(id),
          name: titles.subject(subject),
          marks: bars.join(""),
          words: `${short((sums[index] ?? 0) / MIB)} MiB`,
        };
      }),
    }),
  }];
}

/** Every chart for which there are figures, in the order of the report. */
export function charts(results: Results): Chart[] {
  return [
    ...METRIC_VIEWS.flatMap((view) => metricCharts(results, view)),
    ...seriesCharts(results),
    ...splitCharts(results),
    ...latencyCharts(results),
  ];
}
