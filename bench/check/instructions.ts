/**
 * Instructions that the shim's hot functions take, the allocator's share included, counted by
 * callgrind: they hardly change from run to run, so that small losses are seen.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Measured } from "./baseline.ts";
import type { Valgrind } from "./valgrind.ts";

const DRIVER = fileURLToPath(new URL("./driver.c", import.meta.url));
const FIXED = fileURLToPath(new URL("./fixed-block.c", import.meta.url));

/** The functions of the driver. */
const FUNCTIONS = ["pair", "block", "batch", "ticket"] as const;

/**
 * Allocators by the numbers that the shim has for them (lib/allocators). `none` hands out one
 * block again and again, by jemalloc's names: what is counted is the shim alone.
 */
const ALLOCATORS: Readonly<Record<string, number>> = { none: 1, jemalloc: 1, mimalloc: 2 };

/** What is counted. */
export interface Counted {
  readonly id: string;
  readonly allocator: string;
  readonly called: string;
}

/** Every count. */
export const COUNTED: readonly Counted[] = Object.keys(ALLOCATORS).flatMap((allocator) =>
  FUNCTIONS.map((called) => ({
    id: `instructions/${called}/${allocator}`,
    allocator,
    called,
  }))
);

/** The libraries that are looked at. */
export interface Libraries {
  readonly shim: string;
  /** Each allocator's library by its name. */
  readonly allocators: Readonly<Record<string, string>>;
}

/** Calls before the counted ones, so that no cache is empty; and the counted ones. */
const [BEFORE, CALLS] = [200, 1000];

function totalOf(path: string): number {
  const total = /^(?:totals|summary): (\d+)/m.exec(readFileSync(path, "utf8"))?.[1];
  if (total === undefined) throw new Error("Cannot count instructions: callgrind wrote no total");
  return Number(total);
}

/**
 * Counts a function's instructions a call.
 *
 * @throws {Error} when the driver cannot be built, or a run of it fails.
 */
export function count(counted: Counted, libraries: Libraries, valgrind: Valgrind): Measured {
  const work = mkdtempSync(join(tmpdir(), "offheap-callgrind-"));
  try {
    const driver = join(work, "driver");
    const cc = (...words: string[]): void =>
      void execFileSync("cc", ["-std=gnu11", "-O2", "-Wall", "-Werror", ...words]);
    cc(DRIVER, "-o", driver, "-ldl");
    const fixed = join(work, "fixed-block.so");
    if (counted.allocator === "none") cc("-shared", "-fPIC", "-fno-builtin", FIXED, "-o", fixed);
    const run = (calls: number): number => {
      const out = join(work, `out.${calls}`);
      execFileSync(valgrind.program, [
        "--tool=callgrind",
        `--callgrind-out-file=${out}`,
        driver,
        libraries.shim,
        String(ALLOCATORS[counted.allocator]),
        libraries.allocators[counted.allocator] ?? fixed,
        counted.called,
        String(calls),
      ], { env: { ...process.env, ...valgrind.variables }, stdio: ["ignore", "ignore", "pipe"] });
      return totalOf(out);
    };
    const value = (run(BEFORE + CALLS) - run(BEFORE)) / CALLS;
    return { id: counted.id, kind: "instructions", value, spread: 0 };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
