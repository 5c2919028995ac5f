/**
 * The size classes of the magazines: multiples of 16 up to 128 bytes, and from there four in each
 * doubling, as jemalloc spaces them (its manual, "IMPLEMENTATION NOTES"). mimalloc's are finer, so
 * that each of these is one of its own, too.
 *
 * @module
 */

/** The step of the smallest classes in bytes, and how it is shifted. */
export const QUANTUM_SHIFT = 4;

const QUANTUM: number = 1 << QUANTUM_SHIFT;

/** The largest size that is kept in magazines, in bytes. */
export const MAX_CACHED: number = 32 * 1024;

/** A magazine's slots lie in rows of this many: 2^7. */
export const CAPACITY_SHIFT = 7;

/** The most blocks in a magazine. */
const MOST_BLOCKS = 127;

/** The most bytes in a magazine. */
const MOST_BYTES: number = 64 * 1024;

function classSizes(): number[] {
  const sizes = [];
  for (let size = QUANTUM; size <= 8 * QUANTUM; size += QUANTUM) sizes.push(size);
  for (let base = 8 * QUANTUM; base < MAX_CACHED; base *= 2) {
    for (let quarter = 1; quarter <= 4; quarter++) sizes.push(base + quarter * base / 4);
  }
  return sizes;
}

/** The size of each class in bytes, the smallest first. */
export const CLASS_SIZES: readonly number[] = classSizes();

/** The most blocks that a magazine of each class keeps. */
export const CLASS_CAPACITIES: readonly number[] = CLASS_SIZES.map((size) =>
  Math.min(MOST_BLOCKS, Math.floor(MOST_BYTES / size))
);

/** The class of a size from 1 to {@linkcode MAX_CACHED}, by the number of quanta it takes. */
export function classTable(): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array((MAX_CACHED >> QUANTUM_SHIFT) + 1);
  let current = 0;
  for (let quanta = 1; quanta < table.length; quanta++) {
    if (quanta * QUANTUM > (CLASS_SIZES[current] ?? 0)) current++;
    table[quanta] = current;
  }
  return table;
}
