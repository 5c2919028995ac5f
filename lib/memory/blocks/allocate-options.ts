/**
 * The options of allocations, which allocators, heaps, arenas and pools share.
 *
 * @module
 */
import { requireFlag } from "../../options.ts";
import type { ArenaAllocateOptions, ArenaFromOptions } from "../api/arena.ts";
import type { AllocateFromOptions, AllocateOptions } from "../api/block.ts";
import { LEAST_ALIGNMENT, requireAlignment } from "../shared/sizes.ts";

/** The names of {@linkcode AllocateOptions}. */
export const ALLOCATE_OPTIONS: readonly (keyof AllocateOptions)[] = [
  "alignment",
  "zeroed",
  "managed",
];

/** The names of {@linkcode AllocateFromOptions}. */
export const FROM_OPTIONS: readonly (keyof AllocateFromOptions)[] = [
  "alignment",
  "terminated",
  "managed",
];

/** What an arena takes of {@linkcode AllocateOptions}: it is freed as a whole. */
export const ARENA_OPTIONS: readonly (keyof ArenaAllocateOptions)[] = ["alignment", "zeroed"];

/** What an arena takes of {@linkcode AllocateFromOptions}. */
export const ARENA_FROM_OPTIONS: readonly (keyof ArenaFromOptions)[] = ["alignment", "terminated"];

/** An alignment from a caller, checked. */
export function alignmentOf(action: string, alignment: number | undefined): number {
  if (alignment === undefined) return LEAST_ALIGNMENT;
  requireAlignment(action, alignment);
  return Math.max(alignment, LEAST_ALIGNMENT);
}

/** A flag from a caller, checked. */
export function flagOf(action: string, what: string, value: boolean | undefined): boolean {
  requireFlag(action, what, value);
  return value ?? false;
}
