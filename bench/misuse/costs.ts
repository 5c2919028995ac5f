/**
 * What guards cost: the native patterns under each set-up, in turns.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { median } from "simple-statistics";
import { buildChurn } from "../native/build.ts";
import type { Setup } from "./program.ts";

/** A pattern, its threads and operations: about a second under the slowest set-up. */
const PATTERNS = {
  larson: [2, 2_000_000],
  small: [1, 3_000_000],
  mixed: [1, 400_000],
  large: [1, 8_000],
} as const satisfies Record<string, readonly [number, number]>;

const SEED = 20;

/** The ratios of one set-up in one pattern, medians of the rounds' own. */
export interface Cost {
  readonly pattern: string;
  readonly setup: string;
  /** Which set-up it is compared with. */
  readonly over: string;
  /** Of processor time. */
  readonly time: number;
  /** Of the peak of resident memory. */
  readonly peak: number;
}

interface Measured {
  readonly cpu: number;
  readonly peakResident: number;
}

function measure(program: string, pattern: keyof typeof PATTERNS, setup: Setup): Measured {
  const [threads, operations] = PATTERNS[pattern];
  const text = execFileSync(program, [pattern, threads, operations, SEED].map(String), {
    env: { ...process.env, ...setup.variables },
    encoding: "utf8",
  });
  const { servedBy, metrics } = JSON.parse(text) as {
    readonly servedBy: { readonly verified: boolean; readonly object: string };
    readonly metrics: Record<keyof Measured, { readonly value: number }>;
  };
  const [library = ""] = (setup.variables["LD_PRELOAD"] ?? "").split(":");
  if (!servedBy.verified || (library !== "" && servedBy.object !== library)) {
    throw new Error(`Cannot measure ${setup.title}: malloc was served by ${servedBy.object}`);
  }
  return { cpu: metrics.cpu.value, peakResident: metrics.peakResident.value };
}

/**
 * Measures all set-ups in all patterns.
 *
 * @param rounds In each, every set-up has its turn.
 * @param report Called with each pattern before it begins.
 */
export function measureCosts(
  setups: readonly Setup[],
  rounds: number,
  report: (text: string) => void,
): Cost[] {
  const program = buildChurn();
  const [reference] = setups;
  if (reference === undefined) return [];
  const patterns = Object.keys(PATTERNS) as (keyof typeof PATTERNS)[];
  return patterns.flatMap((pattern) => {
    report(`measuring ${pattern}`);
    const results = new Map<string, Measured[]>(setups.map(({ title }) => [title, []]));
    for (let round = 0; round < rounds; round++) {
      for (const setup of setups) results.get(setup.title)?.push(measure(program, pattern, setup));
    }
    const ratio = (setup: string, over: string, of: keyof Measured): number =>
      median(
        (results.get(setup) ?? []).map((measured, round) =>
          measured[of] / (results.get(over)?.[round]?.[of] ?? Number.NaN)
        ),
      );
    return setups.slice(1).flatMap(({ title, plain }) =>
      [reference.title, ...(plain !== null && results.has(plain) ? [plain] : [])].map((over) => ({
        pattern,
        setup: title,
        over,
        time: ratio(title, over, "cpu"),
        peak: ratio(title, over, "peakResident"),
      }))
    );
  });
}
