/**
 * Watching a process's memory for a while.
 *
 * @module
 */
import { setTimeout as wait } from "node:timers/promises";
import type { Observation } from "./observation.ts";
import { LEAST_POINTS } from "./trend.ts";

/** How often memory is looked at: so many times in the whole, within these bounds in milliseconds. */
const LOOKS = { count: 120, least: 100, most: 5000 };

/** On a machine that is slow to answer it takes longer, rather than to see too little for a trend. */
const LEAST_LOOKS = 2 * LEAST_POINTS;

/** How a process is watched. */
export interface WatchOptions {
  /** For how long, in milliseconds; 0 takes one look. */
  readonly milliseconds: number;
  /** Ends it early; what was seen until then counts. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Observes again and again; the last time in full.
 *
 * @returns At least one observation.
 */
export async function watchMemory(
  observe: (full: boolean) => Observation | Promise<Observation>,
  { milliseconds, signal }: WatchOptions,
): Promise<Observation[]> {
  const every = Math.min(LOOKS.most, Math.max(LOOKS.least, milliseconds / LOOKS.count));
  const end = performance.now() + milliseconds;
  const seen: Observation[] = [];
  const goesOn = (): boolean =>
    performance.now() + every <= end || (milliseconds > 0 && seen.length < LEAST_LOOKS - 1);
  while (goesOn() && signal?.aborted !== true) {
    seen.push(await observe(false));
    await wait(every, undefined, { signal }).catch(ignoreAbort);
  }
  seen.push(await observe(true));
  return seen;
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === "AbortError")) throw error;
}
