/**
 * Giving memory back, and what came of it.
 *
 * @module
 */
import type { OpenedStatistics } from "../allocators/statistics.ts";
import { UnsupportedOperationError } from "../errors.ts";
import { glance } from "../options.ts";
import { readResident } from "../system/resident.ts";

/**
 * What a purge gave back. Memory of other parts of the process counts as well: what they allocate
 * meanwhile makes it less, also below 0.
 *
 * @example
 * ```ts
 * import { openAllocator, type Purged } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * memory.decay(60_000); // keep unused pages for a minute
 * const blocks = Array.from({ length: 100 }, () => memory.allocate(1 << 20));
 * for (const block of blocks) block.bytes.fill(1);
 * for (const block of blocks) block.free();
 * const { allocated, absent } = memory.stats();
 * const { returned, milliseconds, refused }: Purged = memory.purge();
 * console.log(allocated ?? absent.allocated, refused ?? `${returned} bytes in ${milliseconds} ms`);
 * memory.decay(null); // as at the start
 * memory.close();
 * ```
 */
export interface Purged {
  /** The process's resident memory before, in bytes. */
  readonly residentBefore: number;
  /** The same after it. */
  readonly residentAfter: number;
  /** What came back, in bytes. */
  readonly returned: number;
  /** How long it took. */
  readonly milliseconds: number;
  /** Why nothing was done; `null` when it was. */
  readonly refused: string | null;
}

/** Gives memory back, and measures it. */
export function measured(giveBack: () => string | null): Purged {
  const residentBefore = readResident();
  const start = performance.now();
  const refused = giveBack();
  const milliseconds = performance.now() - start;
  const residentAfter = readResident();
  const returned = residentBefore - residentAfter;
  return { residentBefore, residentAfter, returned, milliseconds, refused };
}

/**
 * Sets how long unused pages are kept.
 *
 * @param milliseconds `null` for as long as at the start.
 * @throws {TypeError | RangeError} for what is no time.
 * @throws {UnsupportedOperationError} when the allocator has no such time.
 */
export function setDecay(statistics: OpenedStatistics, milliseconds: number | null): void {
  const action = "set how long unused memory is kept";
  if (milliseconds !== null) {
    const Kind = typeof milliseconds === "number" ? RangeError : TypeError;
    if (!Number.isSafeInteger(milliseconds) || milliseconds < 0 || milliseconds > MAX_MS) {
      throw new Kind(
        `Cannot ${action}: it must be a whole number of milliseconds from 0 to ${MAX_MS}, or null ` +
          `for as long as at the start; got ${glance(milliseconds)}`,
      );
    }
  }
  const refused = statistics.decay(milliseconds ?? -1);
  if (refused !== null) throw new UnsupportedOperationError(`Cannot ${action}: ${refused}.`);
}

/** A `long` has 32 bits on Windows. */
const MAX_MS = 2 ** 31 - 1;
