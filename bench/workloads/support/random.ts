/**
 * Random numbers that a seed repeats: SplitMix32's step (Steele, Lea and Flood, "Fast Splittable
 * Pseudorandom Number Generators", 2014, with 32-bit constants of MurmurHash3's finalizer).
 *
 * @module
 */

import { seeded as generator } from "../../../lib/watch/compare/order.ts";

/** A source of random numbers. */
export interface Random {
  /** From 0 on and below 1. */
  next(): number;
  /** A whole number from the first to the last, both included. */
  between(first: number, last: number): number;
  /** One of a list, which must not be empty. */
  pick<T>(list: readonly T[]): T;
}

/** Random numbers from a seed. */
export function seeded(seed: number): Random {
  const next = generator(seed);
  const between = (first: number, last: number): number =>
    first + Math.floor(next() * (last - first + 1));
  return {
    next,
    between,
    pick<T>(list: readonly T[]): T {
      const index = between(0, list.length - 1);
      if (list.length === 0) throw new RangeError("Cannot pick from an empty list");
      return list[index] as T;
    },
  };
}
