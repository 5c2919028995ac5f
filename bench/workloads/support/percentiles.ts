/**
 * Percentiles of times, from a histogram of high dynamic range.
 *
 * @module
 */
import { build } from "hdr-histogram-js";
import type { Latency } from "../../suite/format.ts";

/** The longest time that can be recorded: an hour, in nanoseconds. */
const LONGEST = 3600e9;
const DIGITS = 3;

/** Times of one kind of call. */
export interface Recorder {
  /** Awaits a call, takes its time down and gives its result back. */
  time<T>(call: () => Promise<T>): Promise<T>;
  /**
   * What was recorded, in nanoseconds.
   *
   * @throws {RangeError} when nothing was.
   */
  latency(): Latency;
}

/** A recorder of times, from 1 ns to an hour. */
export function recorder(): Recorder {
  const histogram = build({
    bitBucketSize: 64,
    highestTrackableValue: LONGEST,
    numberOfSignificantValueDigits: DIGITS,
  });
  return {
    async time(call) {
      const start = performance.now();
      const result = await call();
      histogram.recordValue(Math.max(1, Math.round((performance.now() - start) * 1e6)));
      return result;
    },
    latency() {
      if (histogram.totalCount === 0) throw new RangeError("Cannot summarise: nothing was timed");
      // The histogram gives a bucket's upper end, which may be above all that was recorded.
      const percentile = (percent: number): number =>
        Math.min(histogram.getValueAtPercentile(percent), histogram.maxValue);
      return {
        count: histogram.totalCount,
        mean: histogram.mean,
        p50: percentile(50),
        p95: percentile(95),
        p99: percentile(99),
        p999: percentile(99.9),
        max: histogram.maxValue,
      };
    },
  };
}
