/**
 * Whether a figure grows over time or has settled: a trend that a few odd values do not change, and
 * how sure it is.
 *
 * @module
 */
import { medianOf } from "../../../median.ts";

/** A figure at a time. */
export interface Point {
  /** The time in milliseconds. */
  readonly at: number;
  /** The figure. */
  readonly value: number;
}

/** How a figure moved. */
export interface Trend {
  /** By how much it changes in a second: the median of the slopes between all pairs (Theil-Sen). */
  readonly perSecond: number;
  /** What this makes over the whole time. */
  readonly change: number;
  /** How sure it is that the figure rises, from 0 (it falls) to 1: Kendall's test. */
  readonly sureOfRise: number;
  /**
   * - `rising`: it rises, and does so still in the last half of the time;
   * - `settled`: it has risen, and then stayed;
   * - `level`: it does not rise;
   * - `unknown`: there are too few values.
   */
  readonly shape: "rising" | "settled" | "level" | "unknown";
}

/** Fewer values than that show nothing. */
export const LEAST_POINTS = 8;

/** How sure a rise has to be. */
const SURE = 0.95;

/** The last half still rises when it does so at this share of the whole time's pace. */
const STILL = 0.3;

/** More values than that are joined: the number of pairs grows with the square. */
const MAX_POINTS = 240;

/** The trend of a figure whose values are in the order of their times. */
export function trendOf(points: readonly Point[]): Trend {
  if (points.length < LEAST_POINTS) {
    return { perSecond: 0, change: 0, sureOfRise: 0.5, shape: "unknown" };
  }
  const joined = join(points);
  const whole = rise(joined);
  const half = rise(joined.slice(Math.floor(joined.length / 2)));
  const seconds = ((points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0)) / 1000;
  const rises = whole.sure >= SURE && whole.perSecond > 0;
  const still = half.perSecond >= STILL * whole.perSecond;
  return {
    perSecond: whole.perSecond,
    change: whole.perSecond * seconds,
    sureOfRise: whole.sure,
    shape: !rises ? "level" : still ? "rising" : "settled",
  };
}

/**
 * The least value of each part of the time: what is left after each collection, where a figure goes
 * up and down with the garbage.
 */
export function lowPoints(points: readonly Point[], parts = 12): Point[] {
  const size = Math.max(1, Math.floor(points.length / parts));
  const lows: Point[] = [];
  for (let start = 0; start + size <= points.length; start += size) {
    lows.push(points.slice(start, start + size).reduce((low, p) => p.value < low.value ? p : low));
  }
  return lows;
}

/** How often a figure fell by a twentieth or more, as the JavaScript heap does when it is collected. */
export function countFalls(points: readonly Point[]): number {
  return points.filter(({ value }, index) => value < (points[index - 1]?.value ?? 0) * 0.95).length;
}

function join(points: readonly Point[]): Point[] {
  const size = Math.ceil(points.length / MAX_POINTS);
  if (size === 1) return [...points];
  const joined: Point[] = [];
  for (let start = 0; start < points.length; start += size) {
    const group = points.slice(start, start + size);
    joined.push({
      at: medianOf(group.map(({ at }) => at)),
      value: medianOf(group.map(({ value }) => value)),
    });
  }
  return joined;
}

function rise(points: readonly Point[]): { perSecond: number; sure: number } {
  const slopes: number[] = [];
  let score = 0;
  points.forEach(({ at, value }, index) => {
    for (const later of points.slice(index + 1)) {
      if (later.at <= at) continue;
      slopes.push((later.value - value) / (later.at - at) * 1000);
      score += Math.sign(later.value - value);
    }
  });
  const spread = Math.sqrt(scoreVariance(points));
  const perSecond = slopes.length === 0 ? 0 : medianOf(slopes);
  // Values that are all the same have no spread, and do not rise.
  const sure = spread === 0 ? 0.5 : normalShare((score - Math.sign(score)) / spread);
  return { perSecond, sure };
}

/** The variance of Kendall's score where nothing rises or falls; equal values make it smaller. */
function scoreVariance(points: readonly Point[]): number {
  const weight = (n: number): number => n * (n - 1) * (2 * n + 5);
  const equal = Map.groupBy(points, ({ value }) => value);
  const ties = [...equal.values()].reduce((sum, group) => sum + weight(group.length), 0);
  return (weight(points.length) - ties) / 18;
}

/** The share of a normal distribution below z (Abramowitz and Stegun 26.2.17; error below 1e-7). */
function normalShare(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const terms = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = terms.reduceRight((rest, term) => (rest + term) * t, 0);
  const tail = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI) * sum;
  return z >= 0 ? 1 - tail : tail;
}
