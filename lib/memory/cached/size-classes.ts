/**
 * The size classes of the magazines: every multiple of 16 bytes up to 1 KiB, so that a size's class
 * is a shift away, and from there four in each doubling, as jemalloc spaces them (its manual,
 * "IMPLEMENTATION NOTES"), up to 32 KiB.
 *
 * @module
 */

/** The step of the small classes: 2^4 bytes. */
const QUANTUM = 16;

/** The largest small size, in bytes. */
const MAX_SMALL = 1024;

/** The largest size that is kept in magazines, in bytes. */
export const MAX_CACHED: number = 32 * 1024;

/** A magazine's slots lie in rows of this many. */
export const ROW_SLOTS = 64;

/** The most blocks in a magazine. */
const MOST_BLOCKS: number = ROW_SLOTS - 1;

/** The most bytes in a magazine of a class that is not small. */
const MOST_BYTES: number = 64 * 1024;

function classSizes(): number[] {
  // The first is that of size 0.
  const sizes = [QUANTUM];
  for (let size = QUANTUM; size <= MAX_SMALL; size += QUANTUM) sizes.push(size);
  for (let base = MAX_SMALL; base < MAX_CACHED; base *= 2) {
    for (let quarter = 1; quarter <= 4; quarter++) sizes.push(base + quarter * base / 4);
  }
  return sizes;
}

/** The size of each class in bytes. */
export const CLASS_SIZES: readonly number[] = classSizes();

/** The most blocks that a magazine of each class keeps. */
export const CLASS_CAPACITIES: readonly number[] = CLASS_SIZES.map((size) =>
  size <= MAX_SMALL ? MOST_BLOCKS : Math.min(MOST_BLOCKS, Math.floor(MOST_BYTES / size))
);

/** The class of a size from 0 to {@linkcode MAX_CACHED}, by the number of quanta it takes. */
function classTable(): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(MAX_CACHED / QUANTUM + 1);
  let current = 0;
  for (let quanta = 0; quanta < table.length; quanta++) {
    while ((CLASS_SIZES[current] ?? 0) < quanta * QUANTUM || current < Math.min(1, quanta)) {
      current++;
    }
    table[quanta] = current;
  }
  return table;
}

let table: Uint8Array<ArrayBuffer> | undefined;

/** The class of a size from 0 to {@linkcode MAX_CACHED}. */
export function classOf(size: number): number {
  table ??= classTable();
  return table[Math.ceil(size / QUANTUM)] as number;
}
