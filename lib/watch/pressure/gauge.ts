/**
 * When memory is short, and when that is over: pure, with the agent's bounds.
 *
 * @module
 */

/** From this share of a limit on, memory is short. */
const SHORT_FROM = 0.9;

/** Until this share it stays so. */
const SHORT_UNTIL = 0.85;

/** Time for which it is not said again, in milliseconds. */
const HOLD_OFF_MS = 2000;

/** How near one limit is. */
export interface PressureReading {
  /** Which. */
  readonly source: PressureSource;
  /** What is in use, in bytes; of `stall` the time that tasks waited for memory, in milliseconds. */
  readonly used: number;
  /** What there may be, by the same unit. */
  readonly limit: number;
}

/**
 * What memory is short of:
 * - `limit`: the limit that the program gave;
 * - `group`: the nearest limit of its control groups;
 * - `host`: the machine's memory;
 * - `stall`: time: tasks of the control group have waited for memory, by the kernel's PSI.
 */
export type PressureSource = "limit" | "group" | "host" | "stall";

/** That memory has become short, or is so no more. */
export interface MemoryPressure extends PressureReading {
  /** Whether it is short. */
  readonly short: boolean;
}

/** Follows readings. */
export class PressureGauge {
  #short = false;
  #saidAt = -Infinity;

  /** What there is to say of the readings of a moment, in milliseconds of any clock; mostly `null`. */
  take(readings: readonly PressureReading[], now: number): MemoryPressure | null {
    const [tightest] = readings.toSorted((a, b) => b.used / b.limit - a.used / a.limit);
    if (tightest === undefined) return null;
    const share = tightest.used / tightest.limit;
    const short = this.#short ? share >= SHORT_UNTIL : share >= SHORT_FROM;
    if (short === this.#short) return null;
    if (short && now - this.#saidAt < HOLD_OFF_MS) return null;
    this.#short = short;
    this.#saidAt = now;
    return { short, ...tightest };
  }
}
