/**
 * The charts of a report: what each shows, in what unit, against what.
 *
 * @module
 */
import type { CaseInfo, Results } from "../suite/results.ts";
import { latencyChart, type LatencyMark, PERCENTILES } from "./charts/latencies.ts";
import type { Form } from "./charts/plot.ts";
import { ratioChart } from "./charts/ratios.ts";
import { seriesChart } from "./charts/series.ts";
import { splitChart } from "./charts/split.ts";
import type { Document, Element } from "./dom.ts";
import {
  isNative,
  type LatencyRow,
  latencyRows,
  METRIC_VIEWS,
  type MetricView,
  ratioRows,
  seriesRows,
  SPLIT_PARTS,
  splitRows,
} from "./figures.ts";
import { titlesOf } from "./numbers.ts";
import { lookOf, PART_LOOKS } from "./palette.ts";

/** One entry of a legend. */
export interface LegendEntry {
  readonly title: string;
  readonly colour: string;
  /** A line with these dashes, a filled square, or a sign as text. */
  readonly sign: { readonly dash: string } | "square" | { readonly text: string };
}

/** A chart. */
export interface Chart {
  /** The section that it is in. */
  readonly section: string;
  readonly title: string;
  /** The text for readers who cannot see it, unit and baseline included. */
  readonly label: string;
  /** The axis's title: what, unit, baseline. */
  readonly axis: string;
  readonly note: string;
  readonly legend: readonly LegendEntry[];
  /** The table that has the same figures. */
  readonly table: string;
  readonly draw: (document: Document, form: Form) => Element;
}

const BASELINE_TITLE = "the system allocator (glibc)";

function metricCharts(results: Results, view: MetricView): Chart[] {
  const titles = titlesOf(results);
  const all = ratioRows(results, view.metric);
  const parts = [
    { title: "JavaScript programs", rows: all.filter((row) => !isNative(results, row.case)) },
    { title: "native allocation patterns", rows: all.filter((row) => isNative(results, row.case)) },
  ];
  return parts.filter(({ rows }) => rows.length > 0).map(({ title, rows }): Chart => {
    const marks = rows.map((row) => ({
      group: titles.case(row.case),
      label: titles.subject(row.subject),
      subject: row.subject,
      ...row.ratio,
    }));
    const label = `${view.title} of ${title}, by case and allocator: ${view.axis}`;
    return {
      section: view.title,
      title: `${view.title}: ${title}`,
      label,
      axis: view.axis,
      note: view.note,
      legend: [],
      table: view.name,
      draw: (document, form) => ratioChart(document, form, label, view.axis, marks),
    };
  });
}

function seriesCharts(results: Results): Chart[] {
  const titles = titlesOf(results);
  const axis = `resident memory (MiB) over time (s); baseline: ${BASELINE_TITLE}, grey`;
  return [...Map.groupBy(seriesRows(results), (row) => row.case)].map(([id, rows]): Chart => {
    const label = `Memory over time, ${titles.case(id)}: ${axis}`;
    const first = titles.subject(rows[0]?.subject ?? "");
    return {
      section: "Memory over time",
      title: titles.case(id),
      label,
      axis,
      note: `One run a subject. Every second phase is shaded, by the times of ${first}: under ` +
        "another subject the same work may end sooner or later.",
      legend: rows.map(({ subject }) => ({
        title: titles.subject(subject),
        colour: lookOf(subject).colour,
        sign: { dash: lookOf(subject).dash },
      })),
      table: "phases",
      draw: (document, form) => seriesChart(document, form, label, axis, rows),
    };
  });
}

function splitCharts(results: Results): Chart[] {
  const titles = titlesOf(results);
  const rows = splitRows(results);
  if (rows.length === 0) return [];
  const axis = `resident memory (MiB); baseline: ${BASELINE_TITLE}, the first row of a case`;
  const label = `Parts of resident memory at the end of the last idle phase: ${axis}`;
  const marks = rows.map(({ case: id, subject, parts }) => ({
    group: titles.case(id),
    label: titles.subject(subject),
    subject,
    parts,
  }));
  return [{
    section: "What resident memory is made of",
    title: "At the end of the last idle phase",
    label,
    axis,
    note:
      "Array buffers are external, and live only by what goes beyond them. Where an allocator " +
      "cannot be asked, what it has counts as rest.",
    legend: SPLIT_PARTS.map((part) => ({ ...PART_LOOKS[part], sign: "square" })),
    table: "split",
    draw: (document, form) => splitChart(document, form, label, axis, marks),
  }];
}

/** About how many rows one chart of latencies shows; the table has all. */
const MAX_ROWS = 72;

function latencyCharts(results: Results): Chart[] {
  const titles = titlesOf(results);
  const axis = "time a call, or an item of work (ns, logarithmic; 1 µs = 1000 ns); " +
    `baseline: ${BASELINE_TITLE}, the first row of a call`;
  const chartFor = (title: string, infos: readonly CaseInfo[], named: boolean): Chart[] => {
    const ids = new Set(infos.map(({ id }) => id));
    const rows = latencyRows(results).filter((row) => ids.has(row.case));
    const groupOf = (row: LatencyRow): string =>
      named ? `${titles.case(row.case)}: ${row.call}` : row.call;
    const groups = [...Map.groupBy(rows, groupOf)];
    if (groups.length === 0) return [];
    const calls = Math.max(1, Math.floor(MAX_ROWS / (groups[0]?.[1].length ?? 1)));
    const label = `Percentiles of latency, ${title}: ${axis}`;
    const marks = groups.slice(0, calls).flatMap(([group, members]): LatencyMark[] =>
      members.map(({ subject, latency }) => ({
        group,
        label: titles.subject(subject),
        subject,
        latency,
      }))
    );
    const left = groups.length - calls;
    return [{
      section: "Latency",
      title,
      label,
      axis,
      note: "Medians over rounds of each percentile." +
        (left > 0 ? ` ${left} more kinds of calls are in the table.` : ""),
      legend: PERCENTILES.map((one) => ({
        title: one.title,
        colour: "var(--ink)",
        sign: { text: one.sign },
      })),
      table: "latency",
      draw: (document, form) => latencyChart(document, form, label, axis, marks),
    }];
  };
  const scripts = results.cases.filter(({ runtime }) => runtime !== "native");
  const native = results.cases.filter(({ runtime }) => runtime === "native");
  return [
    ...scripts.flatMap((info) => chartFor(info.title, [info], false)),
    ...chartFor("native allocation patterns", native, true),
  ];
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
