/**
 * Figures from few runs without assumptions of their distribution: medians, and intervals of the
 * median from order statistics.
 *
 * @module
 */
import { binomialDistribution, median } from "simple-statistics";

/** The middle of some values, and the interval of them that holds the true middle. */
export interface Estimate {
  readonly median: number;
  /** The interval's ends; `null` with a single value, which says nothing of spread. */
  readonly low: number | null;
  readonly high: number | null;
  /** How likely an interval made in this way holds the true median: 0 to 1. */
  readonly coverage: number;
  /** How many values there were. */
  readonly count: number;
}

/** What an interval shall cover where there are values enough; from 6 values on it is reached. */
const WANTED_COVERAGE = 0.95;

/** Sums of binomial chances are off in their last digits. */
const COVERAGE_DIGITS = 9;

/**
 * The interval of the median that inverts the sign test: from the k-th smallest value to the k-th
 * largest, with the greatest k that covers {@linkcode WANTED_COVERAGE}, else with k = 1. Each value
 * is below the true median as a coin falls, so the coverage is exact for any distribution.
 *
 * @throws {RangeError} when there are no values.
 */
export function estimate(values: readonly number[]): Estimate {
  const count = values.length;
  if (count === 0) throw new RangeError("Cannot estimate a median: there are no values");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = median(sorted);
  if (count === 1) return { median: middle, low: null, high: null, coverage: 0, count };
  const chances = binomialDistribution(count, 0.5) ?? [];
  let rank = 1;
  let outside = 2 * (chances[0] ?? 0);
  for (;;) {
    const next = outside + 2 * (chances[rank] ?? 0);
    if (1 - next < WANTED_COVERAGE || 2 * (rank + 1) > count) break;
    outside = next;
    rank++;
  }
  const low = sorted[rank - 1] ?? middle;
  const high = sorted[count - rank] ?? middle;
  const coverage = Number((1 - outside).toFixed(COVERAGE_DIGITS));
  return { median: middle, low, high, coverage, count };
}

/** One value by its round. */
export interface RoundValue {
  readonly round: number;
  readonly value: number;
}

/**
 * Each value over the baseline's of the same round, by rounds that both have. A round whose
 * baseline or value is 0 has no ratio: then there is no ratio at all, as a part would mislead.
 */
export function pairedRatios(
  values: readonly RoundValue[],
  baseline: readonly RoundValue[],
): number[] | null {
  const of = new Map(baseline.map(({ round, value }) => [round, value]));
  const ratios: number[] = [];
  for (const { round, value } of values) {
    const base = of.get(round);
    if (base === undefined) continue;
    if (base === 0 || value === 0) return null;
    ratios.push(value / base);
  }
  return ratios.length === 0 ? null : ratios;
}
