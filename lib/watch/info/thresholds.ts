/**
 * The thresholds of the health check, and their validation.
 *
 * @module
 */
import { inspect } from "node:util";

/** When a figure makes a process degraded or unhealthy. A bound itself is still good. */
export interface HealthThresholds {
  /** Degraded when less than this share of memory (0 to 1) is available. */
  readonly availableShareDegraded: number;
  /** Unhealthy when less than this share of memory (0 to 1) is available. */
  readonly availableShareUnhealthy: number;
  /** Degraded when fewer bytes are available. */
  readonly availableBytesDegraded: number;
  /** Unhealthy when fewer bytes are available. */
  readonly availableBytesUnhealthy: number;
  /** Degraded when the process uses more than this share (0 to 1) of what it may use. */
  readonly processShareDegraded: number;
  /** Unhealthy when the process uses more than this share (0 to 1) of what it may use. */
  readonly processShareUnhealthy: number;
  /** The verdict when the allocator could not be verified. */
  readonly allocatorUnverified: "healthy" | "degraded" | "unhealthy";
}

const MIB = 2 ** 20;

/** The thresholds that hold unless others are given. */
export const DEFAULT_THRESHOLDS: HealthThresholds = {
  // The kernel starts to reclaim in earnest well before memory is gone; a tenth leaves time to act.
  availableShareDegraded: 0.1,
  // Below this, one burst of garbage ends in the out-of-memory killer.
  availableShareUnhealthy: 0.03,
  // A collection that copies the young generation needs tens of megabytes, whatever the limit is.
  availableBytesDegraded: 64 * MIB,
  // Not enough for a thread's stack and one chunk of the JavaScript heap.
  availableBytesUnhealthy: 16 * MIB,
  // The runtime itself collects harder from about here, and pauses get longer.
  processShareDegraded: 0.85,
  // What is left would not hold the pages that the kernel charges beside resident memory.
  processShareUnhealthy: 0.95,
  // The process still serves, and a restart would not change what serves malloc.
  allocatorUnverified: "degraded",
};

/** What each threshold may be. */
const RULES: Readonly<Record<keyof HealthThresholds, "share" | "bytes" | "verdict">> = {
  availableShareDegraded: "share",
  availableShareUnhealthy: "share",
  availableBytesDegraded: "bytes",
  availableBytesUnhealthy: "bytes",
  processShareDegraded: "share",
  processShareUnhealthy: "share",
  allocatorUnverified: "verdict",
};

/** Pairs in which the first may not be less than the second. */
const ORDER: readonly (readonly [NumericThreshold, NumericThreshold])[] = [
  ["availableShareDegraded", "availableShareUnhealthy"],
  ["availableBytesDegraded", "availableBytesUnhealthy"],
  ["processShareUnhealthy", "processShareDegraded"],
];

type NumericThreshold = Exclude<keyof HealthThresholds, "allocatorUnverified">;

const VERDICTS: readonly unknown[] = ["healthy", "degraded", "unhealthy"];

/**
 * The defaults with the given thresholds in their place; `undefined` leaves a default.
 *
 * @throws {TypeError} when a threshold is unknown or has the wrong type.
 * @throws {RangeError} when one is NaN, infinite, negative, a share above 1, or when the degraded
 * bound is beyond the unhealthy one.
 */
export function completeThresholds(overrides: Partial<HealthThresholds>): HealthThresholds {
  if (typeof overrides !== "object" || overrides === null || Array.isArray(overrides)) {
    throw new TypeError(
      `Cannot evaluate health: the thresholds must be an object; got ${inspect(overrides)}`,
    );
  }
  for (const [name, value] of Object.entries(overrides)) {
    const rule = Object.entries(RULES).find(([known]) => known === name)?.[1];
    if (rule === undefined) {
      throw new TypeError(
        `Cannot evaluate health: a threshold must be one of ${Object.keys(RULES).join(", ")}; got ${
          inspect(name)
        }`,
      );
    }
    if (value !== undefined) checkValue(name, value, rule);
  }
  const given = Object.fromEntries(
    Object.entries(overrides).filter(([, value]) => value !== undefined),
  );
  const thresholds: HealthThresholds = { ...DEFAULT_THRESHOLDS, ...given };
  for (const [upper, lower] of ORDER) {
    if (thresholds[upper] >= thresholds[lower]) continue;
    throw new RangeError(
      `Cannot evaluate health: ${upper} must be at least ${lower} (${thresholds[lower]}); got ${
        thresholds[upper]
      }`,
    );
  }
  return thresholds;
}

function checkValue(name: string, value: unknown, rule: "share" | "bytes" | "verdict"): void {
  if (rule === "verdict") {
    if (VERDICTS.includes(value)) return;
    const Kind = typeof value === "string" ? RangeError : TypeError;
    throw new Kind(message(name, `one of ${VERDICTS.join(", ")}`, value));
  }
  const wanted = rule === "share" ? "a share between 0 and 1" : "a number of bytes, at least 0";
  if (typeof value !== "number") throw new TypeError(message(name, wanted, value));
  const most = rule === "share" ? 1 : Number.MAX_SAFE_INTEGER;
  if (!(value >= 0 && value <= most)) throw new RangeError(message(name, wanted, value));
}

function message(name: string, wanted: string, value: unknown): string {
  return `Cannot evaluate health: ${name} must be ${wanted}; got ${inspect(value)}`;
}
