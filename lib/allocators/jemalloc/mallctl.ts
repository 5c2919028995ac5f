/**
 * jemalloc's `mallctl` by name, for what is asked once: the version, the options, ownership. What is
 * read often goes by {@linkcode MallctlNamespace}.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import type { Address, Calls } from "../../../ffi/types.ts";
import { MallctlError } from "../../errors.ts";
import type { OptionValue } from "../types.ts";
import {
  ARENA_LOOKUP_KEY,
  MALLCTL_KEYS,
  type MallctlKeys,
  type MallctlName,
  REPORTED_KEYS,
} from "./keys.ts";
import { CODECS, type MallctlValues } from "./value-types.ts";

/** The function. */
export type MallctlCalls = Calls<Pick<typeof JEMALLOC_SYMBOLS, "mallctl">>;

/** The value of a key. */
export type MallctlValue<K extends MallctlName> = MallctlValues[MallctlKeys[K]];

/**
 * Reads a key.
 *
 * @throws {MallctlError} with jemalloc's error number; 2 (`ENOENT`) for a key it does not have.
 */
export function readMallctl<K extends MallctlName>(calls: MallctlCalls, key: K): MallctlValue<K> {
  const codec = CODECS[MALLCTL_KEYS[key]];
  const value = new DataView(new ArrayBuffer(codec.bytes));
  const length = BigUint64Array.of(BigInt(codec.bytes));
  const errno = calls.mallctl(key, value, length, null, 0);
  if (errno !== 0) throw new MallctlError(key, errno);
  return codec.decode(value) as MallctlValue<K>;
}

/** Whether jemalloc owns the block at an address, by its `arenas.lookup`. */
export function lookupArena(calls: MallctlCalls, address: Address): boolean {
  const arena = new Uint32Array(1);
  const length = BigUint64Array.of(4n);
  const block = BigUint64Array.of(BigInt(address));
  return calls.mallctl(ARENA_LOOKUP_KEY, arena, length, block, 8) === 0;
}

/** What jemalloc answers for a key that this version, or this build, does not have. */
export const ENOENT = 2;

function readIfKnown(calls: MallctlCalls, key: MallctlName): OptionValue | undefined {
  try {
    const value = readMallctl(calls, key);
    return typeof value === "bigint" ? Number(value) : value;
  } catch (error) {
    if (error instanceof MallctlError && error.errno === ENOENT) return undefined;
    throw error;
  }
}

/** The options in force of the jemalloc in an object; `null` for the process itself. */
export function readOptions(object: string | null): Record<string, OptionValue> {
  const { mallctl } = JEMALLOC_SYMBOLS;
  const { calls, close } = ffi().open(object, { mallctl }, JEMALLOC_PREFIX);
  try {
    const options: Record<string, OptionValue> = {};
    for (const key of REPORTED_KEYS) {
      const value = readIfKnown(calls, key);
      if (value !== undefined) options[key] = value;
    }
    return options;
  } finally {
    close();
  }
}
