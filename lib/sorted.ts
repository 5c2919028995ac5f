/**
 * Looking for values in sorted lists.
 *
 * @module
 */

/** The first index in a sorted list whose value is at least this; its length where there is none. */
export function lowerBound(sorted: ArrayLike<number>, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
