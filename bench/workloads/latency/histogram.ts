/**
 * Samples as percentiles.
 *
 * @module
 */
import { build } from "hdr-histogram-js";
import type { Latency } from "../../suite/format.ts";

/** Steps of a nanosecond that are distinguished. */
const STEPS = 100;

/** Nanoseconds of the longest call that fits: a minute. */
const LONGEST = 60e9;

/** Digits of a value that are kept. */
const DIGITS = 3;

/** The percentiles of samples of one or more threads, all in nanoseconds a call. */
export function latencyOf(samples: readonly Float64Array[]): Latency {
  const histogram = build({
    bitBucketSize: 32,
    lowestDiscernibleValue: 1,
    highestTrackableValue: LONGEST * STEPS,
    numberOfSignificantValueDigits: DIGITS,
    useWebAssembly: false,
  });
  for (const own of samples) {
    for (const each of own) histogram.recordValue(Math.round(each * STEPS));
  }
  // The histogram gives a bucket's upper end, which may be above all samples.
  const percentile = (percent: number): number =>
    Math.min(histogram.getValueAtPercentile(percent), histogram.maxValue) / STEPS;
  return {
    count: histogram.totalCount,
    mean: histogram.mean / STEPS,
    p50: percentile(50),
    p95: percentile(95),
    p99: percentile(99),
    p999: percentile(99.9),
    max: histogram.maxValue / STEPS,
  };
}
