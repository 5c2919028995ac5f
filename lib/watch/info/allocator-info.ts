/**
 * What is known of the allocator that offheap's own blocks come from.
 *
 * @module
 */
import {
  type AllocatorName,
  allocatorNamed,
  findAllocator,
  type ProcessAllocator,
} from "../../allocators/mod.ts";
import type { OptionValue } from "../../allocators/types.ts";
import { system } from "../../system/mod.ts";
import { pathToOpen } from "../../verify/process.ts";
import type { LibraryReport } from "../../verify/types.ts";
import type { VerifyOptions } from "../../verify/options.ts";
import { verifyAllocator } from "../../verify/verify.ts";

/** What {@linkcode getAllocatorInfo} reports. */
export interface AllocatorInfo {
  /** The allocator of offheap's own blocks. */
  readonly name: AllocatorName;
  /** Its version; `null` when it could not be read. */
  readonly version: string | null;
  /** Whether evidence proved that the blocks are its own. */
  readonly verified: boolean;
  /** Its library; `null` for the system's allocator, or when none could be loaded. */
  readonly library: LibraryReport | null;
  /**
   * The options in force, by the allocator's own names: jemalloc's `opt.*` and `background_thread`,
   * which says whether it runs now, mimalloc's `MIMALLOC_*` in lower case. Empty for the system's
   * allocator, and for a library that is not proven to be the allocator: what it would answer means
   * nothing.
   */
  readonly options: Readonly<Record<string, OptionValue>>;
}

/** What {@linkcode getProcessOptions} reports. */
export interface ProcessOptions {
  /** Who serves the process's `malloc`. */
  readonly name: ProcessAllocator;
  /** Its options in force; empty where it has none that are known, or was not proven. */
  readonly options: Readonly<Record<string, OptionValue>>;
}

/**
 * Reports which allocator offheap's own blocks come from, its version, its library, whether that is
 * proven, and its options in force.
 *
 * @throws {TypeError | RangeError} for bad options.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 */
export function getAllocatorInfo(options: VerifyOptions = {}): AllocatorInfo {
  const found = verifyAllocator(options);
  const { memoryAllocator: name, memoryAllocatorVerified: verified, library } = found;
  return {
    name,
    version: found.memoryAllocatorVersion,
    verified,
    library,
    options: library === null || !verified
      ? {}
      : allocatorNamed(name).readOptions?.(library.path) ?? {},
  };
}

/**
 * Reports the options in force of the allocator that serves this process, whichever offheap's own
 * blocks come from.
 *
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 */
export function getProcessOptions(): ProcessOptions {
  const { processAllocator: name, processAllocatorVerified: verified } = verifyAllocator();
  const object = system().findSymbol("malloc")?.object ?? null;
  const read = verified ? findAllocator(name)?.readOptions ?? null : null;
  return { name, options: read?.(pathToOpen(object)) ?? {} };
}
