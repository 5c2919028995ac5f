/**
 * The middle of values.
 *
 * @module
 */

/** The middle value of some in order; NaN of none. */
export function middleOf(sorted: readonly number[]): number {
  const half = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(half)] ?? NaN) + (sorted[Math.ceil(half)] ?? NaN)) / 2;
}

/** The middle value of some; NaN of none. */
export function medianOf(values: readonly number[]): number {
  return middleOf(values.toSorted((a, b) => a - b));
}
