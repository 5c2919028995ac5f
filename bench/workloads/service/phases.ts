/**
 * The phases of the service's life.
 *
 * @module
 */
import type { Scale } from "../support/program.ts";

/** A life: a start, and bursts with an idle phase after each. */
export interface Plan {
  /** Requests before the first burst, to warm up. */
  readonly warmUp: number;
  /** Milliseconds of rest after the warm-up. */
  readonly start: number;
  readonly bursts: number;
  /** Requests in a burst. */
  readonly requests: number;
  /** Milliseconds of an idle phase. */
  readonly idle: number;
}

/**
 * The plans. On two cores of 2026, the requests of a burst take about two seconds in `quick` and ten
 * in `full`.
 */
export const PLANS: Readonly<Record<Scale, Plan>> = {
  test: { warmUp: 4, start: 200, bursts: 2, requests: 30, idle: 800 },
  quick: { warmUp: 20, start: 400, bursts: 2, requests: 400, idle: 2000 },
  full: { warmUp: 20, start: 1000, bursts: 3, requests: 2500, idle: 20_000 },
};

/** Requests in flight at once. */
export const IN_FLIGHT = 16;

/** Milliseconds from one health check to the next in an idle phase. */
export const HEARTBEAT = 200;

/** The part of an idle phase in which sessions go on to expire; in the rest nothing happens. */
export const EXPIRING = 0.5;

/** How many requests' worth of sessions expire in an idle phase. */
export const EXPIRED_WHILE_IDLE = 1200;

/** The plateau is the median over this last part of an idle phase, in milliseconds. */
export const PLATEAU = 1000;
