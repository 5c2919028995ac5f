/**
 * What a program requires of itself at its start, by offheap's shim: see `ffi/native/offheap.c`.
 *
 * @module
 */
import type { LaunchPlan } from "./plan.ts";

/** Whose process it is when nobody can name it yet: the first that finds the variable, see the shim. */
export const FIRST_PROCESS = "*";

/** What a plan requires: `ALLOCATOR:PATH`, without the path for the system's. */
export function requirementOf({ allocator, library }: LaunchPlan): string {
  return library === null ? allocator : `${allocator}:${library.path}`;
}
