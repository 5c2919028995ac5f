/**
 * What a verification is asked for.
 *
 * @module
 */
import { inspect } from "node:util";
import { findAllocator } from "../allocators/mod.ts";
import type { AllocatorChoice } from "../allocators/policy.ts";
import { type Variant, VARIANTS } from "../library/manifest.ts";
import { ownOptions, requireFlag, requireOneOf, requirePath } from "../options.ts";

/** What to verify. */
export interface VerifyOptions {
  /**
   * The allocator of offheap's own blocks; `auto`, the default, is `OFFHEAP_ALLOCATOR`, else the one
   * that serves the process, where offheap can open it, else the policy's.
   */
  readonly allocator?: AllocatorChoice | undefined;
  /** The path of its library; without it the usual places are looked at. */
  readonly library?: string | undefined;
  /** How the library was built; `release` by default. */
  readonly variant?: Variant | undefined;
  /** Ask again, instead of giving the answer that was found before; `false` by default. */
  readonly refresh?: boolean | undefined;
}

const OPTION_NAMES: readonly (keyof VerifyOptions)[] = [
  "allocator",
  "library",
  "variant",
  "refresh",
];

/**
 * The options that a caller gave.
 *
 * @throws {TypeError | RangeError} for bad options.
 */
export function checkOptions(action: string, options: VerifyOptions): VerifyOptions {
  const own = ownOptions(action, options, OPTION_NAMES);
  const { allocator, library, variant, refresh } = own;
  requirePath(action, "the library", library);
  requireFlag(action, "refresh", refresh);
  if (variant !== undefined) requireOneOf(action, "the variant", variant, VARIANTS);
  if (library === undefined || findAllocator(allocator)?.library !== null) return own;
  throw new TypeError(
    `Cannot ${action}: the library must be left out for the allocator "${allocator}"; ` +
      `got ${inspect(library)}`,
  );
}
