/**
 * Ratios of times within one run: allocators against the system's in the native program, and
 * offheap's blocks against what JavaScript has. Lower is better in all of them.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { interquartileRange, median } from "simple-statistics";
import { orderOf } from "../../lib/watch/compare/order.ts";
import { pairedRatios } from "../../lib/watch/compare/pairs.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import { runCase } from "../memory/run.ts";
import { WorkloadOutput } from "../suite/format.ts";
import { neutralEnvironment } from "../suite/prepare.ts";
import type { Measured } from "./baseline.ts";

/** A case that can be measured. */
export interface RatioCase {
  readonly id: string;
  measure(): Promise<Measured>;
}

const THREADS = 2;
const SEED = 1;
const ROUNDS = 7;

/** Patterns of the native program, with operations for about a tenth of a second. */
export const PATTERNS: Readonly<Record<string, number>> = {
  larson: 1_500_000,
  "producer-consumer": 500_000,
  small: 2_000_000,
  mixed: 150_000,
  realloc: 1_000_000,
};

function wallOf(program: string, pattern: string, preload: string | null): number {
  const words = [pattern, String(THREADS), String(PATTERNS[pattern]), String(SEED)];
  const env = neutralEnvironment();
  const text = execFileSync(program, words, {
    encoding: "utf8",
    env: preload === null ? env : { ...env, LD_PRELOAD: preload },
  });
  const { servedBy, metrics } = WorkloadOutput.parse(JSON.parse(text));
  if (!servedBy.verified || (preload !== null && servedBy.object !== preload)) {
    throw new Error(`Cannot measure ${pattern}: ${servedBy.object} served it, not ${preload}`);
  }
  return metrics["wall"]?.value ?? NaN;
}

/** Half the distance of the quartiles, as a share: how far off another run may be by chance. */
function spreadOf(values: readonly number[]): number {
  return interquartileRange([...values]) / 2 / median([...values]);
}

/** An allocator's time over the system's in one pattern, in rounds that take turns. */
export function churnCase(program: string, pattern: string, name: string, file: string): RatioCase {
  const id = `churn/${pattern}/${name}`;
  return {
    id,
    measure() {
      const own = new Map<number, number>();
      const system = new Map<number, number>();
      for (let round = 1; round <= ROUNDS; round++) {
        for (const preload of orderOf([file, null], round, SEED)) {
          (preload === null ? system : own).set(round, wallOf(program, pattern, preload));
        }
      }
      const ratios = pairedRatios(own, system);
      return Promise.resolve({
        id,
        kind: "ratio",
        value: median(ratios),
        spread: spreadOf(ratios),
      });
    },
  };
}

/** Cases of bench/memory that are the hot paths. */
export const MEMORY_CASES: readonly string[] = [
  "raw/malloc-free-64",
  "cached/malloc-free-64",
  "block/65536",
  "pool/65536",
  "arena/64x1000",
];

/** How often a case of bench/memory is measured, each in a process of its own. */
const REPEATS = 3;

/** A hot path of offheap's against JavaScript's own, in a runtime. */
export function memoryCase(runtime: Runtime, name: string): RatioCase {
  const id = `memory/${name}/${runtime.spec.name}`;
  return {
    id,
    async measure() {
      const values: number[] = [];
      for (let i = 0; i < REPEATS; i++) {
        const rows = await runCase(runtime, name, { allocator: "jemalloc", effort: "quick" });
        values.push(median(rows.map(({ ratio }) => ratio)));
      }
      return { id, kind: "ratio", value: median(values), spread: spreadOf(values) };
    },
  };
}
