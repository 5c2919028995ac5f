/**
 * Profiles that a program takes by itself: when it has grown, or on a signal.
 *
 * @module
 */
import { constants } from "node:os";
import process from "node:process";
import { inspect } from "node:util";
import { ownOptions, requirePath } from "../../options.ts";
import { heapProfile } from "./api.ts";
import { GrowthGauge, keepProfile } from "./kept.ts";

/** When profiles are taken, and where they are kept. */
export interface KeepOptions {
  /** The directory; it is made where it is missing. */
  readonly directory: string;
  /** How many are kept, 5 by default; the oldest go. */
  readonly keep?: number | undefined;
  /** Take one each time resident memory has grown by so many bytes. */
  readonly atGrowth?: number | undefined;
  /** Take one when this signal comes. It must not be SIGUSR1, which opens inspectors and ends Bun. */
  readonly atSignal?: `SIG${string}` | undefined;
  /** How often to look for growth, in milliseconds: 1,000 by default. */
  readonly interval?: number | undefined;
}

const ACTION = "keep heap profiles";
const OPTIONS: readonly (keyof KeepOptions)[] = [
  "directory",
  "keep",
  "atGrowth",
  "atSignal",
  "interval",
];
const SIGNALS = constants.signals;
const DEFAULT_KEEP = 5;
const DEFAULT_INTERVAL_MS = 1000;

function requirePositive(what: string, value: unknown): void {
  if (value === undefined || (Number.isSafeInteger(value) && Number(value) > 0)) return;
  const Kind = typeof value === "number" ? RangeError : TypeError;
  throw new Kind(`Cannot ${ACTION}: ${what} must be a whole number above 0; got ${inspect(value)}`);
}

function check({ directory, keep, atGrowth, atSignal, interval }: KeepOptions): void {
  requirePath(ACTION, "directory", directory);
  if (directory === undefined) {
    throw new TypeError(`Cannot ${ACTION}: directory must be a path; got undefined`);
  }
  requirePositive("keep", keep);
  requirePositive("atGrowth", atGrowth);
  requirePositive("interval", interval);
  // A name that the system does not have is taken in silence by Node and Bun, and never comes.
  if (atSignal === "SIGUSR1" || (atSignal !== undefined && !Object.hasOwn(SIGNALS, atSignal))) {
    throw new RangeError(
      `Cannot ${ACTION}: atSignal must be a signal's name other than SIGUSR1, such as SIGUSR2; got ` +
        inspect(atSignal),
    );
  }
  if (atGrowth === undefined && atSignal === undefined) {
    throw new TypeError(`Cannot ${ACTION}: atGrowth or atSignal must be given; got neither`);
  }
}

/** One at a time: what comes meanwhile asks for nothing new. */
function taker(directory: string, keep: number, onEnd: () => void): () => void {
  let taking = false;
  const take = async (): Promise<void> => {
    const profile = await heapProfile.snapshot();
    keepProfile({ directory, keep }, profile, await heapProfile.encode(profile));
  };
  return () => {
    if (taking) return;
    taking = true;
    take().catch((error: unknown) => {
      process.emitWarning(
        `A heap profile was not taken: ${error instanceof Error ? error.message : error}`,
        { type: "OffheapHeapProfile" },
      );
    }).finally(() => {
      taking = false;
      onEnd();
    });
  };
}

/**
 * Takes heap profiles when this process has grown, or on a signal, and keeps the latest in a directory.
 * Something has to be sampled by then: call {@linkcode heapProfile}'s `start()` before, or start the
 * program by `offheap run --heap-profiling --active`. A profile that cannot be taken is a process warning
 * of the type `OffheapHeapProfile`. Nothing keeps the program alive for it.
 *
 * @returns A function that ends it.
 * @throws {TypeError | RangeError} for bad options.
 * @example
 * ```ts
 * import { heapProfile, keepHeapProfiles } from "@offheap/offheap";
 *
 * await heapProfile.start();
 * const stop = keepHeapProfiles({ directory: "/tmp/profiles", atGrowth: 100 * 2 ** 20, keep: 3 });
 * console.log("it is watched until stop() is called");
 * stop();
 * await heapProfile.stop();
 * ```
 */
export function keepHeapProfiles(options: KeepOptions): () => void {
  const own = ownOptions(ACTION, options, OPTIONS);
  check(own);
  const { directory, keep = DEFAULT_KEEP, atGrowth, atSignal } = own;
  const gauge = new GrowthGauge(atGrowth ?? Infinity, process.memoryUsage.rss());
  const take = taker(directory, keep, () => gauge.restart(process.memoryUsage.rss()));
  const ends: (() => void)[] = [];
  if (atSignal !== undefined) {
    process.on(atSignal, take);
    ends.push(() => process.off(atSignal, take));
  }
  if (atGrowth !== undefined) {
    const timer = setInterval(() => {
      if (gauge.hasGrown(process.memoryUsage.rss())) take();
    }, own.interval ?? DEFAULT_INTERVAL_MS);
    timer.unref();
    ends.push(() => clearInterval(timer));
  }
  return () => ends.splice(0).forEach((end) => end());
}
