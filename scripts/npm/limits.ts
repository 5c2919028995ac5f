/**
 * What the packages may weigh and take, and how times are measured: cold, in fresh processes, the
 * least of several runs and the median.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { BUILD_PACKAGE } from "../../ffi/packages.ts";
import { MAIN_PACKAGE } from "./manifest.ts";
import { run, type RunOptions } from "./process.ts";
import type { Time, Times } from "./programs.ts";

/**
 * The packages' archives, in bytes. Of offheap's 602,000 most is the module, whose lines are not
 * minified, its map and the command, which has what `run` needs twice; the libraries that draw charts
 * and flame graphs are 50,000. Of the build's 147,000 two thirds are the shim's C.
 */
export const LARGEST_ARCHIVES: Readonly<Record<string, number>> = {
  [MAIN_PACKAGE]: 640_000,
  [BUILD_PACKAGE]: 155_000,
};

/** How many packages an installation of offheap may have, with itself. */
export const MAX_PACKAGES = 10;

/** In milliseconds. */
export const LIMITS: Readonly<Record<keyof Times, number>> = { import: 30, open: 15 };

/** Times of several runs. */
export interface Measured {
  /** The least of each. */
  readonly least: Times;
  /** The median of each. */
  readonly median: Times;
}

/** Times with offheap, and of the same without it. */
export interface Comparison {
  /** With offheap. */
  readonly offheap: Measured;
  /** The builtin modules that it imports, and koffi where it is needed. */
  readonly floor: Measured;
}

/** The builtin modules that the compiled module takes when it is loaded. */
export function builtinsOf(module: string): string[] {
  const names = [
    ...readFileSync(module, "utf8").matchAll(/\brequire\("(node:[a-z\d_/]+)"\)/g),
  ];
  return [...new Set(names.map(([, name = ""]) => name))].sort();
}

/**
 * Measures how long importing and opening take, with and without offheap in turns.
 *
 * @param command Runs `times.mjs`.
 * @param builtins What offheap imports.
 */
export async function measure(
  command: readonly string[],
  builtins: readonly string[],
  options: RunOptions,
  rounds: number,
): Promise<Comparison> {
  const offheap: Times[] = [];
  const floor: Times[] = [];
  for (let round = 0; round < rounds; round++) {
    offheap.push(await measureOnce(command, options));
    floor.push(await measureOnce([...command, "floor", ...builtins], options));
  }
  return { offheap: summarize(offheap), floor: summarize(floor) };
}

async function measureOnce(command: readonly string[], options: RunOptions): Promise<Times> {
  const text = await run(command, options);
  return JSON.parse(text.trim().split("\n").at(-1) ?? "");
}

function summarize(times: readonly Times[]): Measured {
  const at = (index: number): Times => {
    const pick = (name: keyof Times, kind: keyof Time): number =>
      times.map((row) => row[name][kind]).sort((a, b) => a - b)[index] ?? NaN;
    const both = (name: keyof Times): Time => ({
      clock: pick(name, "clock"),
      cpu: pick(name, "cpu"),
    });
    return { import: both("import"), open: both("open") };
  };
  return { least: at(0), median: at(Math.floor(times.length / 2)) };
}

/** The heads of a table of times. */
export const TIMES_HEAD: readonly string[] = [
  "runtime",
  "what",
  "least",
  "median",
  "of the CPU",
  "floor of the CPU",
  "limit",
];

/** The rows of a table of times, in milliseconds. */
export function timesRows(title: string, { offheap, floor }: Comparison): string[][] {
  return (["import", "open"] as const).map((what) => [
    title,
    what,
    ...[
      offheap.least[what].clock,
      offheap.median[what].clock,
      offheap.least[what].cpu,
      floor.least[what].cpu,
    ].map((ms) => ms.toFixed(1)),
    String(LIMITS[what]),
  ]);
}

/**
 * What took longer than it may: the least by the clock or of the processors, whichever is less. A
 * limit holds for a machine that does nothing else.
 *
 * @param slack By what the limits are multiplied, on a machine that does.
 */
export function overLimit(title: string, { offheap }: Comparison, slack: number): string[] {
  return (["import", "open"] as const).flatMap((what) => {
    const least = Math.min(offheap.least[what].clock, offheap.least[what].cpu);
    const limit = LIMITS[what] * slack;
    return least < limit
      ? []
      : [`${title}: ${what} takes ${least.toFixed(1)} ms at least, the limit is ${limit}`];
  });
}
