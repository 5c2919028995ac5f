/**
 * The known name that a misspelt one was meant to be.
 *
 * @module
 */

/** How many letters are inserted, left out, replaced or swapped with their neighbour. */
function distance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row++) {
    const line = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const left = (line[column - 1] ?? 0) + 1;
      const above = (rows[row - 1]?.[column] ?? 0) + 1;
      const replaced = (rows[row - 1]?.[column - 1] ?? 0) + (same ? 0 : 1);
      const swap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = swap ? (rows[row - 2]?.[column - 2] ?? 0) + 1 : Infinity;
      line.push(Math.min(left, above, replaced, swapped));
    }
    rows.push(line);
  }
  return rows[from.length]?.[to.length] ?? Infinity;
}

/** The nearest of the known names, where it is near enough to be meant; else `null`. */
export function nearest(name: string, known: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(name.length / 4));
  let best: string | null = null;
  let least = limit + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const found = distance(name, candidate);
    if (found < least) [best, least] = [candidate, found];
  }
  return best;
}
