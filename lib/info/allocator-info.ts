/**
 * What is known of the allocator that offheap's own blocks come from.
 *
 * @module
 */
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../ffi/jemalloc.ts";
import { MIMALLOC_SYMBOLS } from "../../ffi/mimalloc.ts";
import { foreign } from "../../ffi/mod.ts";
import { OPTION_KEYS } from "../jemalloc/keys.ts";
import { readMallctl } from "../jemalloc/mallctl.ts";
import { mimallocOptions } from "../mimalloc/options.ts";
import { decodeMimallocVersion } from "../mimalloc/version.ts";
import type { AllocatorName } from "../policy.ts";
import type { LibraryReport } from "../verify/types.ts";
import { verifyAllocator, type VerifyOptions } from "../verify/verify.ts";

/** The value of an allocator's option. */
export type OptionValue = string | number | boolean;

/** What {@linkcode getAllocatorInfo} tells. */
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
   * The options in force, by the allocator's own names: jemalloc's `opt.*`, mimalloc's
   * `MIMALLOC_*` in lower case. Empty for the system's allocator, and for a library that is not
   * proven to be the allocator: what it would answer means nothing.
   */
  readonly options: Readonly<Record<string, OptionValue>>;
}

type OptionReader = (path: string) => Record<string, OptionValue>;

function jemallocOptions(path: string): Record<string, OptionValue> {
  const { mallctl } = JEMALLOC_SYMBOLS;
  const { calls, close } = foreign().open(path, { mallctl }, JEMALLOC_PREFIX);
  try {
    const options: Record<string, OptionValue> = {};
    for (const key of OPTION_KEYS) {
      const value = readMallctl(calls, key);
      options[key] = typeof value === "bigint" ? Number(value) : value;
    }
    return options;
  } finally {
    close();
  }
}

function readMimallocOptions(path: string): Record<string, OptionValue> {
  const { mi_version, mi_option_get } = MIMALLOC_SYMBOLS;
  const { calls, close } = foreign().open(path, { mi_version, mi_option_get });
  try {
    const options: Record<string, OptionValue> = {};
    for (const { number, name } of mimallocOptions(decodeMimallocVersion(calls.mi_version()))) {
      options[name] = calls.mi_option_get(number);
    }
    return options;
  } finally {
    close();
  }
}

const READERS: Readonly<Record<AllocatorName, OptionReader>> = {
  jemalloc: jemallocOptions,
  mimalloc: readMimallocOptions,
  system: () => ({}),
};

/**
 * Tells which allocator offheap's own blocks come from, its version, its library, whether that is
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
    options: library === null || !verified ? {} : READERS[name](library.path),
  };
}
