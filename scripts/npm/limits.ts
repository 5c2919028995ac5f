/**
 * What the packages may weigh and take, and how times are measured: cold, in fresh processes, the
 * shortest and the median of several runs. Machines are noisy; the shortest is what the code takes.
 *
 * @module
 */
import { run, type RunOptions } from "./process.ts";
import type { Times } from "./programs.ts";

/** The main package's archive, in bytes. */
export const LARGEST_ARCHIVE = 300_000;

/** In milliseconds. */
export const LIMITS: Times = { import: 30, open: 15 };

/** Times of several runs. */
export interface Measured {
  /** The shortest of each. */
  readonly least: Times;
  /** The median of each. */
  readonly median: Times;
}

/** Measures how long importing and opening take. */
export async function measure(
  command: readonly string[],
  options: RunOptions,
  rounds: number,
): Promise<Measured> {
  const times: Times[] = [];
  for (let round = 0; round < rounds; round++) {
    const text = await run(command, options);
    times.push(JSON.parse(text.trim().split("\n").at(-1) ?? ""));
  }
  const pick = (index: number): Times => ({
    import: sorted(times.map((row) => row.import))[index] ?? NaN,
    open: sorted(times.map((row) => row.open))[index] ?? NaN,
  });
  return { least: pick(0), median: pick(Math.floor(times.length / 2)) };
}

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
