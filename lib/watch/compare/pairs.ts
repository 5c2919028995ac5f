/**
 * A figure of runs by their rounds, and its ratios to another's of the same rounds: what disturbs a
 * whole round then disturbs both.
 *
 * @module
 */

/** A figure's value in each round. */
export type Values = ReadonlyMap<number, number>;

/**
 * The ratios of rounds that both have. There is none at all where a value is 0, as the rest alone
 * would mislead.
 */
export function pairedRatios(values: Values, base: Values): number[] {
  const pairs = [...values].flatMap(([round, value]) => {
    const below = base.get(round);
    return below === undefined ? [] : [[value, below] as const];
  });
  if (pairs.some(([value, below]) => value <= 0 || below <= 0)) return [];
  return pairs.map(([value, below]) => value / below);
}
