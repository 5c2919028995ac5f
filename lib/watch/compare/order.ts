/**
 * The order of runs: random by a seed, and balanced, so that over as many rounds as there are
 * variants each of them has every place once.
 *
 * @module
 */

/** SplitMix32's step with MurmurHash3's finalizer, as a generator from 0 up to and without 1. */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** The same items in an order that the generator decides (Fisher and Yates). */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}

/** The variants of a round, from 1 on, in the order in which they are run. */
export function orderOf<T>(variants: readonly T[], round: number, seed: number): T[] {
  const size = variants.length;
  const block = Math.floor((round - 1) / size);
  const random = seeded(Math.imul(seed + 1, 0x9e3779b1) + block);
  const order = shuffled(variants, random);
  const starts = shuffled([...order.keys()], random);
  const start = starts[(round - 1) % size] ?? 0;
  return [...order.slice(start), ...order.slice(0, start)];
}
