/**
 * How long test files take: as they took last, and roughly for a checkout where none has run.
 *
 * @module
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { ROOT } from "../../tools/paths.ts";
import type { RuntimeName } from "../../tools/runtimes.ts";

const LAST: string = join(ROOT, "build", "tests", "seconds.json");
const ROUGH: string = join(ROOT, "scripts", "testing", "rough-seconds.json");

/** What a file takes that nobody has measured. */
const DEFAULT = 2;

type Seconds = Record<string, number>;

function read(path: string): Seconds {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}

function keyOf(name: string, runtime: RuntimeName): string {
  return `${name} ${runtime}`;
}

/** Gives what each file may take, in seconds. */
export function expectedSeconds(): (name: string, runtime: RuntimeName) => number {
  const rough = read(ROUGH);
  const last = read(LAST);
  return (name, runtime) => last[keyOf(name, runtime)] ?? rough[name] ?? DEFAULT;
}

/** Keeps what files took, for the next run. */
export function keepSeconds(
  results: readonly { name: string; runtime: RuntimeName; milliseconds: number }[],
): void {
  const kept = read(LAST);
  for (const { name, runtime, milliseconds } of results) {
    kept[keyOf(name, runtime)] = Math.round(milliseconds / 100) / 10;
  }
  mkdirSync(dirname(LAST), { recursive: true });
  const made = `${LAST}.${process.pid}`; // another run may read it at this moment
  writeFileSync(made, `${JSON.stringify(kept, null, 1)}\n`);
  renameSync(made, LAST);
}
