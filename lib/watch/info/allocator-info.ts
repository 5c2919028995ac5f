/**
 * What is known of the allocator that offheap's own blocks come from.
 *
 * @module
 */
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import { MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import { foreign } from "../../../ffi/mod.ts";
import { MallctlError } from "../../errors.ts";
import { type MallctlName, OPTION_KEYS } from "../../allocators/jemalloc/keys.ts";
import { type JemallocCalls, readMallctl } from "../../allocators/jemalloc/mallctl.ts";
import { mimallocOptions } from "../../allocators/mimalloc/options.ts";
import { decodeMimallocVersion } from "../../allocators/mimalloc/version.ts";
import type { AllocatorName } from "../../allocators/policy.ts";
import { system } from "../../system/mod.ts";
import { pathToOpen } from "../../verify/process.ts";
import type { LibraryReport, ProcessAllocator } from "../../verify/types.ts";
import { verifyAllocator, type VerifyOptions } from "../../verify/verify.ts";

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
   * The options in force, by the allocator's own names: jemalloc's `opt.*` and `background_thread`,
   * which tells whether it runs now, mimalloc's `MIMALLOC_*` in lower case. Empty for the system's allocator, and for a library that is not
   * proven to be the allocator: what it would answer means nothing.
   */
  readonly options: Readonly<Record<string, OptionValue>>;
}

/** What {@linkcode getProcessOptions} tells. */
export interface ProcessOptions {
  /** Who serves the process's `malloc`. */
  readonly name: ProcessAllocator;
  /** Its options in force; empty where it has none that are known, or was not proven. */
  readonly options: Readonly<Record<string, OptionValue>>;
}

type OptionReader = (path: string | null) => Record<string, OptionValue>;

/** Without support for it, jemalloc has no such key. */
const ENOENT = 2;

function readIfKnown(calls: JemallocCalls, key: MallctlName): OptionValue | undefined {
  try {
    const value = readMallctl(calls, key);
    return typeof value === "bigint" ? Number(value) : value;
  } catch (error) {
    if (error instanceof MallctlError && error.errno === ENOENT) return undefined;
    throw error;
  }
}

function jemallocOptions(path: string | null): Record<string, OptionValue> {
  const { mallctl } = JEMALLOC_SYMBOLS;
  const { calls, close } = foreign().open(path, { mallctl }, JEMALLOC_PREFIX);
  try {
    const options: Record<string, OptionValue> = {};
    for (const key of OPTION_KEYS) {
      const value = readIfKnown(calls, key);
      if (value !== undefined) options[key] = value;
    }
    return options;
  } finally {
    close();
  }
}

function readMimallocOptions(path: string | null): Record<string, OptionValue> {
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

/**
 * Tells the options in force of the allocator that serves this process, whichever offheap's own
 * blocks come from.
 *
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 */
export function getProcessOptions(): ProcessOptions {
  const { processAllocator: name, processAllocatorVerified: verified } = verifyAllocator();
  const object = system().findSymbol("malloc")?.object ?? null;
  const known = name === "jemalloc" || name === "mimalloc";
  return { name, options: known && verified ? READERS[name](pathToOpen(object)) : {} };
}
