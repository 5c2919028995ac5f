/**
 * The report on versions: what is committed, and what the document's tables are made of.
 *
 * @module
 */
import { z } from "zod";
import { pairedRatios } from "../../lib/watch/compare/pairs.ts";
import { medianOf } from "../../lib/median.ts";
import { Metric } from "../suite/format.ts";
import { MachineInfo, MissingSubject, type Results } from "../suite/results.ts";
import { BASELINE, NOISE } from "../suite/subjects.ts";
import { valuesOf } from "../suite/summary.ts";
import type { VersionBuild } from "./builds.ts";
import { FIGURES, type FigureSpec } from "./cases.ts";
import { Proof } from "./verify.ts";

/** A figure against the system's allocator in the same rounds. */
export const Figure = z.object({
  id: z.string(),
  /** The median of the build's own values, in the unit. */
  value: z.number(),
  unit: Metric.shape.unit,
  /** Ratios by round: the median, the least and the greatest. */
  median: z.number(),
  least: z.number(),
  greatest: z.number(),
});

/** One judged build. */
export const Judged = z.object({
  id: z.string(),
  title: z.string(),
  allocator: z.string(),
  version: z.string(),
  from: z.string(),
  proofs: z.array(Proof),
  figures: z.array(Figure),
});

/** The whole file. */
export const Report = z.object({
  format: z.literal(1),
  started: z.string(),
  rounds: z.number().int().positive(),
  offheap: z.string(),
  runtimes: z.record(z.string(), z.string()),
  machine: MachineInfo,
  builds: z.array(Judged),
  /** The system's allocator against itself: what differs from 1 is the machine. */
  noise: z.array(Figure),
  missing: z.array(MissingSubject),
});

/** A figure against the system's allocator. */
export type Figure = z.infer<typeof Figure>;
/** One judged build. */
export type Judged = z.infer<typeof Judged>;
/** The whole file. */
export type Report = z.infer<typeof Report>;

const DIGITS = 4;

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

/** A figure of a subject; `null` when it was not measured, or has no ratio. */
function figureOf(results: Results, subject: string, spec: FigureSpec): Figure | null {
  const runsOf = (id: string) =>
    results.runs.filter((run) => run.case === spec.case && run.subject === id);
  const own = valuesOf(runsOf(subject), spec.metric);
  const ratios = pairedRatios(own, valuesOf(runsOf(BASELINE), spec.metric));
  const unit = runsOf(subject)[0]?.output.metrics[spec.metric]?.unit;
  if (ratios.length === 0 || unit === undefined) return null;
  return {
    id: spec.id,
    value: rounded(medianOf([...own.values()])),
    unit,
    median: rounded(medianOf(ratios)),
    least: rounded(Math.min(...ratios)),
    greatest: rounded(Math.max(...ratios)),
  };
}

function figuresOf(results: Results, subject: string): Figure[] {
  return FIGURES.flatMap((spec) => figureOf(results, subject, spec) ?? []);
}

/**
 * Puts the report together.
 *
 * @param runtimes Their versions by their titles.
 */
export function reportOn(
  builds: readonly VersionBuild[],
  proofs: ReadonlyMap<string, readonly Proof[]>,
  missing: readonly MissingSubject[],
  runtimes: Readonly<Record<string, string>>,
  results: Results,
): Report {
  return {
    format: 1,
    started: results.started,
    rounds: Math.max(...results.cases.map(({ rounds }) => rounds)),
    offheap: results.versions.offheap,
    runtimes: { ...runtimes },
    machine: results.machine,
    builds: builds.map(({ id, title, allocator, version, from }) => ({
      id,
      title,
      allocator,
      version,
      from,
      proofs: [...proofs.get(id) ?? []],
      figures: figuresOf(results, id),
    })),
    noise: figuresOf(results, NOISE),
    missing: [...missing],
  };
}
