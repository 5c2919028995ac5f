/**
 * Having the allocator that serves this process give memory back.
 *
 * @module
 */
import { measured, type Purged, setDecay } from "../../memory/purge.ts";
import { LIBRARIES, withPermissions } from "../../permissions.ts";
import { processStatistics } from "../../verify/process-statistics.ts";

/**
 * Has the allocator that serves `malloc` in this process give its unused pages back to the system:
 * jemalloc's of all arenas, glibc's `malloc_trim(0)`, mimalloc's of this thread and what its version
 * can reach, tcmalloc's free pages. musl has no function for it, and what a runtime keeps in an
 * allocator of its own is not reached.
 *
 * @returns What came back; `refused` says why nothing was done.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 * @example
 * ```ts
 * import { purgeProcess } from "@offheap/offheap";
 *
 * const { returned, milliseconds, refused } = purgeProcess();
 * console.log(refused ?? `${returned} bytes came back in ${milliseconds} ms`);
 * ```
 */
export function purgeProcess(): Purged {
  return withPermissions(LIBRARIES, () => {
    const { statistics } = processStatistics();
    return measured(() => statistics.purge());
  });
}

/**
 * The same, with what the allocator has cached for this thread.
 *
 * @returns As {@linkcode purgeProcess}.
 * @throws As {@linkcode purgeProcess}.
 * @example
 * ```ts
 * import { collectProcess } from "@offheap/offheap";
 *
 * console.log(collectProcess().returned);
 * ```
 */
export function collectProcess(): Purged {
  return withPermissions(LIBRARIES, () => {
    const { statistics } = processStatistics();
    return measured(() => statistics.collect());
  });
}

/**
 * Sets how long the allocator that serves `malloc` keeps unused pages before it gives them back.
 *
 * @param milliseconds `null` for as long as at the start.
 * @throws {UnsupportedOperationError} when it has no such time: the C libraries' own, and tcmalloc.
 * @throws {TypeError | RangeError} for what is no time.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 * @example
 * ```ts
 * import { decayProcess, UnsupportedOperationError } from "@offheap/offheap";
 *
 * try {
 *   decayProcess(500);
 * } catch (error) {
 *   if (error instanceof UnsupportedOperationError) console.log(error.message);
 * }
 * ```
 */
export function decayProcess(milliseconds: number | null): void {
  withPermissions(LIBRARIES, () => setDecay(processStatistics().statistics, milliseconds));
}
