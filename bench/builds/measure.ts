/**
 * A pattern's processor time under several libraries, in turns.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { promisify } from "node:util";
import { orderOf } from "../../lib/watch/compare/order.ts";
import type { Values } from "../../lib/watch/compare/pairs.ts";
import { WorkloadOutput } from "../suite/format.ts";
import { neutralEnvironment } from "../suite/prepare.ts";

/** The patterns, and operations of each that take a good part of a second. */
export const BUILD_PATTERNS: Readonly<Record<string, number>> = {
  larson: 20_000_000,
  "alloc-test": 4_000_000,
  mstress: 2_000_000,
  "glibc-bench": 40_000_000,
};

const SEED = 1;
const run = promisify(execFile);

/** How often, and how wide. */
export interface BuildMeasurement {
  readonly rounds: number;
  readonly threads: number;
}

/**
 * Runs a pattern under each library in each round, in the order of a comparison's rounds.
 *
 * @param program The native benchmark program.
 * @returns Seconds of processor time by round, for each library in their order.
 * @throws {Error} when a run fails, was not served by its library, or did other work than the rest.
 */
export async function measurePattern(
  program: string,
  name: string,
  libraries: readonly string[],
  { rounds, threads }: BuildMeasurement,
): Promise<Values[]> {
  const args = [name, `${threads}`, `${BUILD_PATTERNS[name]}`, `${SEED}`];
  const values = libraries.map(() => new Map<number, number>());
  const work = new Set<string>();
  for (let round = 1; round <= rounds; round++) {
    for (const index of orderOf([...libraries.keys()], round, SEED)) {
      const library = libraries[index] ?? "";
      const env = { ...neutralEnvironment(), LD_PRELOAD: library };
      const { stdout } = await run(program, args, { env });
      const output = WorkloadOutput.parse(JSON.parse(stdout));
      const { object } = output.servedBy;
      if (realpathSync(object) !== realpathSync(library)) {
        throw new Error(`Cannot count a run of ${name} under "${library}": "${object}" served it`);
      }
      const seconds = output.metrics["cpu"]?.value;
      if (seconds === undefined) throw new Error(`Cannot count ${name}: it prints no time`);
      work.add(output.work);
      values[index]?.set(round, seconds);
    }
  }
  if (work.size > 1) throw new Error(`Cannot compare ${name}: its runs did different work`);
  return values;
}
