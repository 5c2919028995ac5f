/**
 * What the report shows: which metrics, and the rows of each.
 *
 * @module
 */
import { median } from "simple-statistics";
import type { Phase } from "../../lib/watch/compare/charts.ts";
import type { Latency, MemorySeries } from "../suite/format.ts";
import type { CaseInfo, Results, SummaryRow } from "../suite/results.ts";
import { BASELINE } from "../suite/subjects.ts";

/** A metric that the report shows as ratios to the system allocator. */
export interface MetricView {
  readonly metric: string;
  /** The table's and the chart's name. */
  readonly name: string;
  readonly title: string;
  /** What a ratio is of, with its unit. */
  readonly axis: string;
  readonly note: string;
}

const PAIRED =
  "A dot is the middle of the ratios to the system allocator’s run in the same round; the bar is its " +
  "interval. The line at 1 is the system allocator (glibc, started the same way).";

/** The metrics, in the order of the report. */
export const METRIC_VIEWS: readonly MetricView[] = [
  {
    metric: "throughput",
    name: "throughput",
    title: "Throughput",
    axis: "throughput ÷ the system allocator’s (no unit; more is better)",
    note: PAIRED,
  },
  {
    metric: "peakResident",
    name: "peak",
    title: "Peak resident memory",
    axis: "peak resident bytes ÷ the system allocator’s (no unit; less is better)",
    note: `The most that a process had resident. ${PAIRED}`,
  },
  {
    metric: "idleResident",
    name: "idle",
    title: "Resident memory after the work, idle",
    axis: "idle resident bytes ÷ the system allocator’s (no unit; less is better)",
    note: `What is still resident when the process has been idle for some seconds. ${PAIRED}`,
  },
  {
    metric: "minorFaults",
    name: "faults",
    title: "Page faults",
    axis: "minor page faults ÷ the system allocator’s (no unit; less is better)",
    note: `Pages that the kernel had to map in during the work. ${PAIRED}`,
  },
];

/** A summary's row that has a ratio. */
export type RatioRow = SummaryRow & { readonly ratio: NonNullable<SummaryRow["ratio"]> };

/** The rows of one metric with their ratios to a baseline. */
export function ratioRows(results: Results, metric: string, baseline = BASELINE): RatioRow[] {
  return results.summary.filter((row): row is RatioRow =>
    row.metric === metric && row.ratio?.baseline === baseline
  );
}

/** Whether a case is the native program's, which does nothing but allocate. */
export function isNative({ cases }: Pick<Results, "cases">, id: string): boolean {
  return cases.find((info) => info.id === id)?.runtime === "native";
}

/** Latencies of one kind of call in one case and subject: medians over rounds, nanoseconds. */
export interface LatencyRow {
  readonly case: string;
  readonly subject: string;
  readonly call: string;
  readonly latency: Latency;
}

const LATENCY_PARTS = ["count", "mean", "p50", "p95", "p99", "p999", "max"] as const;

function middle(all: readonly Latency[]): Latency {
  const parts = LATENCY_PARTS.map((part) => [part, median(all.map((one) => one[part]))]);
  return Object.fromEntries(parts) as Latency;
}

function subjectLatencies(results: Results, info: CaseInfo, subject: string): LatencyRow[] {
  const runs = results.runs.filter((run) => run.case === info.id && run.subject === subject);
  const calls = new Set(runs.flatMap(({ output }) => Object.keys(output.latencies ?? {})));
  return [...calls].map((call) => {
    const all = runs.map(({ output }) => output.latencies?.[call]).filter((one) =>
      one !== undefined
    );
    return { case: info.id, subject, call, latency: middle(all) };
  });
}

/** All latencies, by case, call and subject. */
export function latencyRows(results: Results): LatencyRow[] {
  return results.cases.flatMap((info) => {
    const rows = info.subjects.flatMap((subject) => subjectLatencies(results, info, subject));
    return [...Map.groupBy(rows, ({ call }) => call).values()].flat();
  });
}

/** The memory of one run over time. */
export interface SeriesRow {
  readonly case: string;
  readonly subject: string;
  readonly series: MemorySeries;
}

/** The series that were kept. */
export function seriesRows(results: Results): SeriesRow[] {
  return results.cases.flatMap(({ id, subjects }) =>
    subjects.flatMap((subject) => {
      const run = results.runs.find((one) =>
        one.case === id && one.subject === subject && one.output.memory !== undefined
      );
      const series = run?.output.memory;
      return series === undefined ? [] : [{ case: id, subject, series }];
    })
  );
}

/** The phases of a series with their times, in seconds. */
export function phasesOf({ phases, time }: MemorySeries): Phase[] {
  const end = time.at(-1) ?? 0;
  return phases.map(({ name, start }, i) => ({
    name,
    from: start / 1000,
    to: (phases[i + 1]?.start ?? end) / 1000,
  }));
}

/** One phase of a series; sizes in bytes. */
export interface PhaseRow {
  readonly case: string;
  readonly subject: string;
  readonly phase: string;
  /** Milliseconds since the program began. */
  readonly start: number;
  readonly greatest: number;
  readonly last: number;
}

/** The phases of each series, those without a sample left out. */
export function phaseRows(results: Results): PhaseRow[] {
  return seriesRows(results).flatMap(({ case: id, subject, series }) =>
    series.phases.flatMap(({ name, start }, at) => {
      const sizes = samplesOf(series, at).map((i) => series.resident[i] ?? 0);
      const last = sizes.at(-1);
      if (last === undefined) return [];
      const greatest = sizes.reduce((most, size) => Math.max(most, size), 0);
      return [{ case: id, subject, phase: name, start, greatest, last }];
    })
  );
}

/** The places of a phase's samples in the columns. */
function samplesOf({ time, phases }: MemorySeries, phase: number): number[] {
  const start = phases[phase]?.start ?? 0;
  const end = phases[phase + 1]?.start ?? Infinity;
  return [...time.keys()].filter((i) => (time[i] ?? 0) >= start && (time[i] ?? 0) < end);
}

/** The parts of resident memory, in the order in which they are stacked. */
export const SPLIT_PARTS = ["heap", "external", "live", "held", "rest"] as const;
/** A part of resident memory. */
export type SplitPart = (typeof SPLIT_PARTS)[number];

/** Resident memory, split, in bytes. */
export interface SplitRow {
  readonly case: string;
  readonly subject: string;
  readonly parts: Readonly<Record<SplitPart, number>>;
}

const IDLE = /idle/i;
/** The end of a phase over which samples are taken together, in milliseconds. */
const WINDOW_MS = 1000;

/** The samples at the end of the last idle phase, by their places in the columns. */
export function lastIdleSamples(series: MemorySeries): number[] {
  const { time, phases } = series;
  const at = phases.findLastIndex(({ name }) => IDLE.test(name));
  if (at < 0) return [];
  const within = samplesOf(series, at);
  const last = time[within.at(-1) ?? 0] ?? 0;
  return within.filter((i) => (time[i] ?? 0) >= last - WINDOW_MS);
}

/**
 * Splits what is resident at the end of the last idle phase. The counters overlap: array buffers
 * are external and live at once, so they count as external; and parts that say more than is
 * resident, as pages that were never touched, are left out so that the sum stays the resident size.
 */
export function splitRows(results: Results): SplitRow[] {
  return seriesRows(results).flatMap(({ series, ...rest }) => {
    const at = lastIdleSamples(series);
    if (at.length === 0) return [];
    const of = (column: readonly (number | null)[]): number =>
      median(at.map((i) => column[i] ?? 0));
    let left = of(series.resident);
    const take = (size: number): number => {
      const taken = Math.min(left, Math.max(0, size));
      left -= taken;
      return taken;
    };
    const external = of(series.external);
    const parts = {
      heap: take(of(series.heap)),
      external: take(external),
      live: take(of(series.live) - external),
      held: take(of(series.held)),
      rest: 0,
    };
    return [{ ...rest, parts: { ...parts, rest: left } }];
  });
}
