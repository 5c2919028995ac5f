/**
 * The order in which test files run: one queue over all runtimes, the longest first, so that no
 * long file is left for the end while the other processors have nothing to do.
 *
 * @module
 */
import { existsSync } from "node:fs";
import process from "node:process";
import type { Runtime, RuntimeName } from "../../tools/runtimes.ts";
import { testName } from "./files.ts";

/** One file in one runtime. */
export interface Job {
  readonly runtime: Runtime;
  /** The file's path. */
  readonly path: string;
}

/** Files for which root installs programs that are missing: nothing else may run meanwhile. */
export const INSTALLS: ReadonlyMap<string, readonly string[]> = new Map([
  ["run/children", ["/usr/bin/sudo", "/usr/sbin/capsh"]],
]);

/** The files that have the machine to themselves, as something would be installed for them. */
export function findAlone(
  isThere: (path: string) => boolean = existsSync,
  isRoot: boolean = process.getuid?.() === 0,
): ReadonlySet<string> {
  const all = [...INSTALLS].filter(([, programs]) => isRoot && !programs.every(isThere));
  return new Set(all.map(([name]) => name));
}

/** The jobs, the longest first; those that are to run alone come last. */
export function inOrder(
  jobs: readonly Job[],
  secondsOf: (name: string, runtime: RuntimeName) => number,
  alone: ReadonlySet<string> = findAlone(),
): Job[] {
  const seconds = ({ path, runtime }: Job): number => secondsOf(testName(path), runtime.spec.name);
  return [...jobs].sort((a, b) =>
    Number(alone.has(testName(a.path))) - Number(alone.has(testName(b.path))) ||
    seconds(b) - seconds(a)
  );
}

/**
 * Runs jobs in their order, several at once. No file runs in two runtimes at a time: what it makes
 * outside of its own directories is made once.
 */
export async function runQueue(
  jobs: readonly Job[],
  atOnce: number,
  run: (job: Job) => Promise<void>,
  alone: ReadonlySet<string> = findAlone(),
): Promise<void> {
  const isAlone = ({ path }: Job): boolean => alone.has(testName(path));
  const waiting = jobs.filter((job) => !isAlone(job));
  const running = new Map<string, Promise<void>>();
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.findIndex(({ path }) => !running.has(path));
    if (next === -1 || running.size >= atOnce) {
      await Promise.race(running.values());
      continue;
    }
    for (const job of waiting.splice(next, 1)) {
      running.set(job.path, run(job).finally(() => running.delete(job.path)));
    }
  }
  for (const job of jobs.filter(isAlone)) await run(job);
}
