/**
 * The order in which test files run: one queue over all runtimes, the longest first, so that no
 * long file is left for the end while the other processors have nothing to do.
 *
 * @module
 */
import type { Runtime, RuntimeName } from "../../tools/runtimes.ts";
import { testName } from "./files.ts";

/** One file in one runtime. */
export interface Job {
  readonly runtime: Runtime;
  /** The file's path. */
  readonly path: string;
}

/** Files that change what others see on the machine, or need it to themselves; with the reason. */
export const ALONE: ReadonlyMap<string, string> = new Map([
  ["run/children", "root's apt-get installs what it needs"],
]);

/** The jobs, the longest first; those that are to run alone come last. */
export function inOrder(
  jobs: readonly Job[],
  secondsOf: (name: string, runtime: RuntimeName) => number,
): Job[] {
  const seconds = ({ path, runtime }: Job): number => secondsOf(testName(path), runtime.spec.name);
  return [...jobs].sort((a, b) =>
    Number(isAlone(a)) - Number(isAlone(b)) || seconds(b) - seconds(a)
  );
}

function isAlone({ path }: Job): boolean {
  return ALONE.has(testName(path));
}

/**
 * Runs jobs in their order, several at once. No file runs in two runtimes at a time: what it makes
 * outside of its own directories is made once.
 */
export async function runQueue(
  jobs: readonly Job[],
  atOnce: number,
  run: (job: Job) => Promise<void>,
): Promise<void> {
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
