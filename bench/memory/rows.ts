/**
 * What a measurement comes to, and what measuring needs to know.
 *
 * @module
 */
import type { RuntimeName } from "../../tools/runtimes.ts";

/** One result: what `--json` writes an array of. */
export interface Row {
  /** What was measured, such as `cached/malloc-free-64`. */
  readonly case: string;
  /** Where. */
  readonly runtime: RuntimeName;
  /** What of offheap, and with which allocator. */
  readonly subject: string;
  /** What it is compared with. */
  readonly baseline: string;
  /** The unit of both values. */
  readonly unit: string;
  /** The subject's value; lower is better. */
  readonly subjectValue: number;
  /** The baseline's value. */
  readonly baselineValue: number;
  /** The subject's value by the baseline's. */
  readonly ratio: number;
}

/** The values of one result. */
export type Values = Pick<Row, "subject" | "baseline" | "subjectValue" | "baselineValue">;

/** How long is measured. */
export interface Effort {
  /** How often both sides take their turn. */
  readonly rounds: number;
  /** How long one turn takes, about, in milliseconds. */
  readonly turn: number;
  /** How long each side runs before anything counts, in milliseconds. */
  readonly warmUp: number;
  /** How long workers work, in milliseconds. */
  readonly work: number;
}

/** What `--quick` chooses between. */
export const EFFORTS: Readonly<Record<"full" | "quick", Effort>> = {
  full: { rounds: 31, turn: 24, warmUp: 300, work: 1000 },
  quick: { rounds: 9, turn: 10, warmUp: 150, work: 250 },
};

/** Makes the row of some values. */
export function rowOf(name: string, runtime: RuntimeName, unit: string, values: Values): Row {
  const { subject, baseline, subjectValue, baselineValue } = values;
  const ratio = subjectValue / baselineValue;
  return { case: name, runtime, subject, baseline, unit, subjectValue, baselineValue, ratio };
}
