/**
 * Axes of charts: where a value is, in percent of the width, and which values are written there.
 *
 * @module
 */
import type { Ratio } from "./types.ts";

/** An axis. */
export interface Axis {
  /** Where a value is, in percent. */
  place(value: number): number;
  readonly ticks: readonly number[];
}

/** How far two ticks must be apart, in percent: a telephone has 300 pixels for all of them. */
const TICK_GAP = 14;
/** A tick at an end of the axis would reach over it. */
const TICK_EDGE = 3;

/** As many ticks as fit, those first taken first. */
function roomyTicks(candidates: readonly number[], place: Axis["place"]): number[] {
  const taken: number[] = [];
  for (const value of candidates) {
    const at = place(value);
    if (!(at >= TICK_EDGE && at <= 100 - TICK_EDGE)) continue;
    if (taken.every((other) => Math.abs(place(other) - at) >= TICK_GAP)) taken.push(value);
  }
  return taken.sort((a, b) => a - b);
}

/** A logarithmic axis: half is as far from 1 as double. */
export function logAxis(low: number, high: number, candidates: readonly number[]): Axis {
  const place = (value: number): number => 100 * Math.log(value / low) / Math.log(high / low);
  return { place, ticks: roomyTicks(candidates, place) };
}

/** An axis of ratios shows this much on both sides of 1 at least, so that noise looks like noise. */
const MIN_REACH = 1.1;
const RATIO_TICKS: readonly number[] = [
  ...[1, 0.5, 2, 0.1, 10, 0.01, 100, 0.2, 5, 0.05, 20, 0.001, 1000],
  ...[1.5, 0.7, 3, 0.3, 0.8, 1.2, 0.9, 1.1, 0.95, 1.05],
];

/** An axis of ratios, with 1 in its middle. */
export function ratioAxis(ratios: readonly Pick<Ratio, "median" | "low" | "high">[]): Axis {
  const ends = ratios.flatMap(({ low, high, median }) => [low ?? median, high ?? median]);
  const reach = Math.max(MIN_REACH, ...ends.map((end) => end < 1 ? 1 / end : end)) ** 1.08;
  return logAxis(1 / reach, reach, RATIO_TICKS);
}

/** Steps whose multiples people count by. */
const STEPS = [1, 2, 5, 10] as const;
const MAX_STEPS = 6;

/** Multiples are off in their last digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(12));
}

/** An axis from 0 on. */
export function linearAxis(most: number): Axis {
  const end = (most > 0 ? most : 1) * 1.02;
  const power = 10 ** Math.floor(Math.log10(end / MAX_STEPS));
  const step = (STEPS.find((each) => end / (each * power) <= MAX_STEPS) ?? 10) * power;
  const count = Math.floor(end / step);
  const place = (value: number): number => 100 * value / end;
  return { place, ticks: Array.from({ length: count + 1 }, (_, index) => rounded(index * step)) };
}
