/**
 * Adding samples up.
 *
 * @module
 */
import { functionKey } from "./names.ts";
import type { HeapAmount, HeapFrame, HeapSample } from "./types.ts";

function plus(a: HeapAmount, b: HeapAmount): HeapAmount {
  return { objects: a.objects + b.objects, bytes: a.bytes + b.bytes };
}

function joined(a: HeapSample, b: HeapSample): HeapSample {
  return {
    ...a,
    inUse: plus(a.inUse, b.inUse),
    allocated: a.allocated === null || b.allocated === null ? null : plus(a.allocated, b.allocated),
    sampled: a.sampled + b.sampled,
  };
}

/** Short names of functions: a stack of them is soon compared. */
class FunctionNumbers {
  readonly #byKey = new Map<string, number>();
  readonly #byFrame = new Map<HeapFrame, number>();

  numberOf(frame: HeapFrame): number {
    let number = this.#byFrame.get(frame);
    if (number !== undefined) return number;
    const key = functionKey(frame);
    number = this.#byKey.get(key) ?? this.#byKey.size;
    this.#byKey.set(key, number);
    this.#byFrame.set(frame, number);
    return number;
  }
}

/** One sample for each stack: stacks are the same when their functions are, whatever the addresses. */
export function joinSamples(samples: readonly HeapSample[]): HeapSample[] {
  const numbers = new FunctionNumbers();
  const sums = new Map<string, HeapSample>();
  for (const sample of samples) {
    const key = `${sample.source} ${sample.stack.map((each) => numbers.numberOf(each)).join()}`;
    const known = sums.get(key);
    sums.set(key, known === undefined ? sample : joined(known, sample));
  }
  return [...sums.values()];
}
