/**
 * The figures that a change is compared with: `bench/baseline.json`.
 *
 * @module
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import { z } from "zod";

/** What a figure is: a ratio of times within one run, or instructions a call. */
const KINDS = ["ratio", "instructions"] as const;

const Accepted = z.object({
  /** The day, as `2026-11-25`. */
  date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
  value: z.number().positive(),
  reason: z.string().min(1),
});

/** A stored figure; lower is better. */
export const BaselineCase = z.object({
  id: z.string().min(1),
  kind: z.enum(KINDS),
  value: z.number().positive(),
  /** By which share of the value it varies without a change: 0.05 is five in a hundred. */
  spread: z.number().nonnegative(),
  /** What was accepted or widened for, the newest last: each value with its reason. */
  history: z.array(Accepted).min(1),
});

/** The file. */
export const Baseline = z.object({
  format: z.literal(1),
  /** Where the figures were taken; for people. */
  machine: z.string(),
  /** The compiler and the allocators' versions: instructions compare only with the same. */
  compiler: z.string(),
  cases: z.array(BaselineCase),
});

/** A stored figure. */
export type BaselineCase = z.infer<typeof BaselineCase>;
/** The stored figures. */
export type Baseline = z.infer<typeof Baseline>;

/** A figure as it was measured. */
export interface Measured {
  readonly id: string;
  readonly kind: (typeof KINDS)[number];
  readonly value: number;
  readonly spread: number;
}

/**
 * Reads a baseline.
 *
 * @throws {Error} when the file is missing or is no baseline.
 */
export function readBaseline(path: string): Baseline {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(
      `Cannot compare: there is no baseline "${path}". Make one with --accept "the first".`,
      { cause: error },
    );
  }
  try {
    return Baseline.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new Error(
      `Cannot compare: "${path}" is no baseline. Take it from version control again.\n${why}`,
    );
  }
}

/** Writes a baseline, completely or not at all. */
export function writeBaseline(path: string, baseline: Baseline): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(Baseline.parse(baseline), null, 2)}\n`);
  renameSync(temporary, path);
}

/** How many values a case's history keeps. */
const KEPT = 10;

/** A baseline with new figures in place of those of the same name; the others stay. */
export function accept(
  old: Pick<Baseline, "cases">,
  measured: readonly Measured[],
  about: Pick<Baseline, "machine" | "compiler">,
  { reason, date }: { readonly reason: string; readonly date: string },
): Baseline {
  const cases = new Map(old.cases.map((one) => [one.id, one]));
  for (const { id, kind, value, spread } of measured) {
    const history = [...(cases.get(id)?.history ?? []), { date, value, reason }].slice(-KEPT);
    cases.set(id, { id, kind, value, spread, history });
  }
  const sorted = [...cases.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  return { format: 1, ...about, cases: sorted };
}

/**
 * A baseline whose ratios may be as much above their values as these are, which the same code came
 * to when the machine was in another state: one measurement knows only how it varies within minutes.
 * Counts of instructions do not vary, and stay.
 */
export function widen(
  old: Baseline,
  measured: readonly Measured[],
  { reason, date }: { readonly reason: string; readonly date: string },
): Baseline {
  const cases = old.cases.map((one): BaselineCase => {
    const other = measured.find(({ id }) => id === one.id);
    if (other === undefined || one.kind !== "ratio") return one;
    const spread = other.value / one.value - 1;
    if (spread <= one.spread) return one;
    const history = [...one.history, { date, value: other.value, reason }].slice(-KEPT);
    return { ...one, spread, history };
  });
  return { ...old, cases };
}
