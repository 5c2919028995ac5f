/**
 * From what was sampled to what there is.
 *
 * @module
 */
import type { HeapAmount } from "./types.ts";

/**
 * Scales what was sampled at one stack. A sample is taken every `interval` bytes on average, at the steps
 * of a Poisson process, so that an allocation of `x` bytes is sampled with a probability of
 * 1 - exp(-x / interval). What was sampled is therefore divided by it, for `x` the average of the stack.
 *
 * The formula is that of jemalloc's `bin/jeprof.in` (`AdjustSamples`, for `heap_v2`), and of
 * Google's pprof (`profile/legacy_profile.go`, `scaleHeapSample`). With `prof_unbias`, which is on by
 * default, jemalloc keeps the right sums itself and writes what comes to them by this formula
 * (`src/prof_data.c`, `prof_do_unbias`): also stacks with allocations of many sizes are right.
 *
 * @param interval The bytes between two samples, on average; up to 1 each allocation is one.
 */
export function scaleSample({ objects, bytes }: HeapAmount, interval: number): HeapAmount {
  if (objects === 0 || bytes === 0) return { objects: 0, bytes: 0 };
  const factor = interval <= 1 ? 1 : 1 / -Math.expm1(-bytes / objects / interval);
  return { objects: objects * factor, bytes: bytes * factor };
}
