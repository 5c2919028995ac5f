/**
 * The manifest beside each library that offheap builds: `libX.so.json` beside `libX.so`.
 *
 * @module
 */

import { BUILT_ALLOCATORS, type BuiltAllocator } from "../allocators/mod.ts";

/** What a build step produces. */
export type LibraryName = BuiltAllocator | "offheap";

/** Every {@linkcode LibraryName}. */
export const LIBRARY_NAMES: readonly LibraryName[] = [...BUILT_ALLOCATORS, "offheap"];

/**
 * How a library was built: `release` to be opened by a running program, `preload` to serve a whole
 * process from its start, `debug` checks itself, and `secure` guards against misuse.
 */
export type Variant = "release" | "debug" | "secure" | "preload";

/** What a library is marked by that has offheap's layer of checks in front of the allocator. */
export const GUARD_FEATURE = "guard-layer";

/** Every {@linkcode Variant}. */
export const VARIANTS: readonly Variant[] = ["release", "debug", "secure", "preload"];

/**
 * The libraries that a variant has. The shim is the same for both ways to use an allocator, and so
 * there is one of it.
 */
export function librariesOf(variant: Variant): readonly LibraryName[] {
  return variant === "preload" ? BUILT_ALLOCATORS : LIBRARY_NAMES;
}

/** What is known of one built library. */
export interface LibraryManifest {
  /** The layout of this file; this version is 1. */
  readonly manifestVersion: 1;
  /** The allocator, or `offheap` for the shim. */
  readonly allocator: LibraryName;
  /** The upstream version, such as `5.3.0`. */
  readonly version: string;
  /** How it was built. */
  readonly variant: Variant;
  /** Where the source came from. */
  readonly source: {
    /** `cache`, `upstream`, `debian`, `option` or `checkout`. */
    readonly origin: string;
    /** The archive's file name, or the directory's name. */
    readonly name: string;
    /** The archive's sha256; `null` for a directory. */
    readonly sha256: string | null;
  };
  /** The target, such as `linux-x64-gnu`. */
  readonly target: string;
  /** `glibc` or `musl`; `null` elsewhere. */
  readonly libc: string | null;
  /** The compiler's own version line. */
  readonly compiler: string;
  /** The flags that the build passed. */
  readonly flags: readonly string[];
  /** Properties that callers ask for, such as `guarded` or `uaf-detection`. */
  readonly features: readonly string[];
  /** Every exported symbol, sorted. */
  readonly exports: readonly string[];
  /** A hash over all inputs of the build: equal inputs need no new build. */
  readonly inputs: string;
  /** The library file's size in bytes. */
  readonly bytes: number;
  /** The library file's sha256, in hexadecimal. */
  readonly sha256: string;
}
