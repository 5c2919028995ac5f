/**
 * What offheap needs of a runtime that permits nothing by itself.
 *
 * @module
 */
import { PermissionError } from "../ffi/errors.ts";
import { missingFlags } from "../ffi/mod.ts";
import type { Permission } from "../ffi/types.ts";

/** What reads files and the environment needs. */
export const FILES: readonly Permission[] = ["env", "read"];

/** What looks for native libraries and calls them needs. */
export const LIBRARIES: readonly Permission[] = [...FILES, "ffi"];

/** What reads the figures of `/proc` besides needs. */
export const FIGURES: readonly Permission[] = [...LIBRARIES, "all"];

/**
 * Does what needs permissions; when one is refused, the error names the flags of all that are
 * missing, so that nobody has to find them one by one. Nothing is asked for that is not used.
 */
export function withPermissions<R>(needs: readonly Permission[], work: () => R): R {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PermissionError)) throw error;
    throw new PermissionError(error.action, [...error.flags, ...missingFlags(needs)], {
      cause: error.cause,
    });
  }
}
