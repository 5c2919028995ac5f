/**
 * Reading `mallctl` values: the one place that calls it and checks what it returns.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import { readCString } from "../../../ffi/symbols/memory.ts";
import { type Address, type Calls, NULL } from "../../../ffi/types.ts";
import { MallctlError } from "../../errors.ts";
import {
  ARENA_LOOKUP_KEY,
  type COMMAND_KEYS,
  EPOCH_KEY,
  MALLCTL_KEYS,
  type MallctlName,
  type MallctlType,
  OPTION_KEYS,
  STATISTICS_KEYS,
} from "./keys.ts";
import type { OptionValue } from "../types.ts";

/** jemalloc's functions. */
export type JemallocCalls = Calls<Pick<typeof JEMALLOC_SYMBOLS, "mallctl">>;

/** JavaScript's side of each mallctl type. */
export interface MallctlValues {
  /** A C string. */
  string: string;
  /** A `bool`. */
  bool: boolean;
  /** An `unsigned`. */
  unsigned: number;
  /** A `size_t`. */
  size: number;
  /** A `ssize_t`. */
  ssize: number;
  /** A `uint64_t`. */
  u64: bigint;
}

/** The value of a key. */
export type MallctlValue<K extends MallctlName> = MallctlValues[
  (typeof MALLCTL_KEYS)[K]["type"]
];

interface MallctlCodec {
  readonly bytes: number;
  readonly decode: (view: DataView) => MallctlValues[MallctlType];
}

function decodeString(view: DataView): string {
  const address = Number(view.getBigUint64(0, true)) as Address;
  if (address === NULL) throw new TypeError("Cannot read a mallctl string: its address is NULL");
  return readCString(address);
}

const CODECS: Readonly<Record<MallctlType, MallctlCodec>> = {
  string: { bytes: 8, decode: decodeString },
  bool: { bytes: 1, decode: (view) => view.getUint8(0) !== 0 },
  unsigned: { bytes: 4, decode: (view) => view.getUint32(0, true) },
  size: { bytes: 8, decode: (view) => Number(view.getBigUint64(0, true)) },
  ssize: { bytes: 8, decode: (view) => Number(view.getBigInt64(0, true)) },
  u64: { bytes: 8, decode: (view) => view.getBigUint64(0, true) },
};

function read(calls: JemallocCalls, key: string, type: MallctlType): MallctlValues[MallctlType] {
  const codec = CODECS[type];
  const value = new DataView(new ArrayBuffer(codec.bytes));
  const length = BigUint64Array.of(BigInt(codec.bytes));
  const errno = calls.mallctl(key, value, length, null, 0);
  if (errno !== 0) throw new MallctlError(key, errno);
  return codec.decode(value);
}

function ofArena(key: string, arena: number): string {
  return key.replace("<i>", String(arena));
}

/**
 * Reads a key.
 *
 * @throws {MallctlError} with jemalloc's error number; 2 (`ENOENT`) for a key it does not have.
 */
export function readMallctl<K extends MallctlName>(
  calls: JemallocCalls,
  key: K,
): MallctlValue<K> {
  return read(calls, key, MALLCTL_KEYS[key].type) as MallctlValue<K>;
}

/**
 * Reads a number that is no option, of an arena where the key has one.
 *
 * @throws {MallctlError} with jemalloc's error number.
 */
export function readStatistic(
  calls: JemallocCalls,
  key: keyof typeof STATISTICS_KEYS,
  arena = 0,
): number {
  return Number(read(calls, ofArena(key, arena), STATISTICS_KEYS[key].type));
}

/**
 * Does what a key without a value does, to an arena where the key has one.
 *
 * @throws {MallctlError} with jemalloc's error number.
 */
export function runMallctl(
  calls: JemallocCalls,
  key: keyof typeof COMMAND_KEYS,
  arena = 0,
): void {
  const name = ofArena(key, arena);
  const errno = calls.mallctl(name, null, null, null, 0);
  if (errno !== 0) throw new MallctlError(name, errno);
}

/**
 * Brings the statistics up to date.
 *
 * @throws {MallctlError} with jemalloc's error number.
 */
export function refreshStatistics(calls: JemallocCalls): void {
  const errno = calls.mallctl(EPOCH_KEY, null, null, BigUint64Array.of(1n), 8);
  if (errno !== 0) throw new MallctlError(EPOCH_KEY, errno);
}

/** Whether jemalloc owns the block at an address, by its `arenas.lookup`. */
export function lookupArena(calls: JemallocCalls, address: Address): boolean {
  const arena = new Uint32Array(1);
  const length = BigUint64Array.of(4n);
  const block = BigUint64Array.of(BigInt(address));
  return calls.mallctl(ARENA_LOOKUP_KEY, arena, length, block, 8) === 0;
}

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

/** The options in force of the jemalloc in an object; `null` for the process itself. */
export function readOptions(object: string | null): Record<string, OptionValue> {
  const { mallctl } = JEMALLOC_SYMBOLS;
  const { calls, close } = ffi().open(object, { mallctl }, JEMALLOC_PREFIX);
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
