/**
 * Estimates from paired runs, without assumptions of their distribution but one: that noise is as
 * likely to raise a ratio as to lower it by the same factor.
 *
 * The interval is the one that inverts Wilcoxon's signed-rank test, from the order statistics of the
 * Walsh averages (Hodges and Lehmann, "Estimates of location based on rank tests", 1963; Hollander
 * and Wolfe, "Nonparametric Statistical Methods", section 3.3). It is exact for any number of rounds.
 *
 * @module
 */
import { middleOf } from "../../median.ts";
import type { Ratio } from "./types.ts";

/** How unlikely a difference may be by chance alone, before it is called one. */
const ALPHA = 0.05;

/**
 * How many rounds it takes to find a difference of one of several variants: with fewer, no order of
 * signs is rare enough for {@linkcode holm}.
 */
export function roundsToFind(variants: number): number {
  return Math.ceil(Math.log2(2 * variants / ALPHA));
}

/** The chance of each sum of ranks from 0 on, when each rank is added as a coin falls. */
function rankSumChances(count: number): Float64Array {
  const sums = new Float64Array(count * (count + 1) / 2 + 1);
  sums[0] = 1;
  for (let rank = 1; rank <= count; rank++) {
    for (let sum = sums.length - 1; sum >= 0; sum--) {
      const without = sums[sum] ?? 0;
      sums[sum] = (without + (sum >= rank ? sums[sum - rank] ?? 0 : 0)) / 2;
    }
  }
  return sums;
}

/** The means of all pairs, each value with itself among them, in order. */
function walshAverages(values: readonly number[]): number[] {
  const averages = values.flatMap((one, index) =>
    values.slice(index).map((other) => (one + other) / 2)
  );
  return averages.sort((a, b) => a - b);
}

/** The middle of some ratios, and the interval that holds the true one. */
export interface Estimate {
  /** The Hodges-Lehmann estimate: the middle of the pairs' means of the logarithms. */
  readonly median: number;
  /** The interval's ends; `null` with a single ratio, which says nothing of spread. */
  readonly low: number | null;
  readonly high: number | null;
  /** How likely an interval made in this way holds the true ratio: 0 to 1. */
  readonly coverage: number;
  /** How many ratios there were. */
  readonly count: number;
}

/** Sums of chances are off in their last digits. */
const COVERAGE_DIGITS = 9;

/**
 * Estimates a ratio: the narrowest interval that covers 95 %, and with fewer
 * than six ratios the widest there is, from the least to the greatest.
 *
 * @throws {RangeError} when there are none.
 */
export function estimate(ratios: readonly number[]): Estimate {
  const count = ratios.length;
  if (count === 0) throw new RangeError("Cannot estimate a ratio: there are no rounds");
  const averages = walshAverages(ratios.map(Math.log));
  const median = Math.exp(middleOf(averages));
  if (count === 1) return { median, low: null, high: null, coverage: 0, count };
  const chances = rankSumChances(count);
  let rank = 1;
  let below = chances[0] ?? 0;
  for (;;) {
    const next = below + (chances[rank] ?? 0);
    if (next > ALPHA / 2) break;
    below = next;
    rank++;
  }
  const low = Math.exp(averages[rank - 1] ?? NaN);
  const high = Math.exp(averages[averages.length - rank] ?? NaN);
  return { median, low, high, coverage: Number((1 - 2 * below).toFixed(COVERAGE_DIGITS)), count };
}

/**
 * The middle of some ratios and its 95 % interval. Fewer than six have none that covers 95 %: 2 of 2^5 orders
 * of signs are already 6 %.
 *
 * @throws {RangeError} when there are none.
 */
export function estimateRatio(ratios: readonly number[]): Ratio {
  const { median, low, high, coverage, count: rounds } = estimate(ratios);
  return coverage < 1 - ALPHA
    ? { median, low: null, high: null, rounds }
    : { median, low, high, rounds };
}

/** How likely ratios as far from 1 are when nothing differs: Wilcoxon's signed-rank test, two-sided. */
export function chanceOfNoDifference(ratios: readonly number[]): number {
  const averages = walshAverages(ratios.map(Math.log));
  const zeros = averages.filter((average) => average === 0).length;
  const above = averages.filter((average) => average > 0).length + zeros / 2;
  const least = Math.floor(Math.min(above, averages.length - above));
  const chances = rankSumChances(ratios.length);
  const below = chances.slice(0, least + 1).reduce((sum, chance) => sum + chance, 0);
  return Math.min(1, 2 * below);
}

/**
 * Which of several tests find a difference, so that all of them together find one by chance in no
 * more than 5 % of cases: Holm, "A simple sequentially rejective multiple test procedure", 1979.
 */
export function holm(chances: readonly number[]): boolean[] {
  const order = chances.map((chance, index) => ({ chance, index }))
    .sort((a, b) => a.chance - b.chance);
  const found = chances.map(() => false);
  for (const [rank, { chance, index }] of order.entries()) {
    if (chance > ALPHA / (chances.length - rank)) break;
    found[index] = true;
  }
  return found;
}
