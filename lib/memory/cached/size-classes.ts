/**
 * The size classes of the magazines: every multiple of 16 bytes up to 1 KiB, so that a size's class
 * is a shift away, and from there four in each doubling, as jemalloc spaces them (its manual,
 * "IMPLEMENTATION NOTES"), up to 32 KiB.
 *
 * @module
 */

/** The step of the small classes: 2^4 bytes. */
const QUANTUM = 16;

/** The largest small size, 2^10 bytes, and its class. */
const MAX_SMALL = 1024;
const LAST_SMALL: number = MAX_SMALL / QUANTUM;

/** The largest size that is kept in magazines, in bytes. */
export const MAX_CACHED: number = 32 * 1024;

/** The slots of each magazine; one is never used, so that a class is found by a shift. */
export const MAGAZINE_SLOTS = 64;

/** The maximum of blocks in a magazine. */
const MAX_BLOCKS: number = MAGAZINE_SLOTS - 1;

/** The maximum of bytes in a magazine of a class that is not small. */
const MAX_BYTES: number = 64 * 1024;

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

/** The maximum of blocks in the magazine of each class. */
export const CLASS_CAPACITIES: readonly number[] = CLASS_SIZES.map((size) =>
  size <= MAX_SMALL ? MAX_BLOCKS : Math.min(MAX_BLOCKS, Math.floor(MAX_BYTES / size))
);

/** The class of a size from 0 to {@linkcode MAX_CACHED}. */
export function classOf(size: number): number {
  if (size <= MAX_SMALL) return Math.ceil(size / QUANTUM);
  const doubling = 31 - Math.clz32(size - 1);
  // From 4 to 7: which quarter of the doubling, which begins at 2^doubling, the size is in.
  const quarter = (size - 1) >>> (doubling - 2);
  return LAST_SMALL + 4 * (doubling - 10) + quarter - 3;
}
