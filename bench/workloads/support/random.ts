/**
 * Random numbers that a seed repeats: SplitMix32's step (Steele, Lea and Flood, "Fast Splittable
 * Pseudorandom Number Generators", 2014, with 32-bit constants of MurmurHash3's finalizer).
 *
 * @module
 */

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
  let state = seed | 0;
  function next(): number {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  }
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
