/**
 * Reading `mallctl` values: the one place that calls it and checks what it returns.
 *
 * @module
 */
import type { JEMALLOC_SYMBOLS } from "../../ffi/jemalloc.ts";
import { readCString } from "../../ffi/memory.ts";
import { type Address, type Calls, NULL } from "../../ffi/types.ts";
import { MallctlError } from "../errors.ts";
import { ARENA_LOOKUP_KEY, MALLCTL_KEYS, type MallctlName, type MallctlType } from "./keys.ts";

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

/**
 * Reads a key.
 *
 * @throws {MallctlError} with jemalloc's error number; 2 (`ENOENT`) for a key it does not have.
 */
export function readMallctl<K extends MallctlName>(
  calls: JemallocCalls,
  key: K,
): MallctlValue<K> {
  const codec = CODECS[MALLCTL_KEYS[key].type];
  const value = new DataView(new ArrayBuffer(codec.bytes));
  const length = BigUint64Array.of(BigInt(codec.bytes));
  const errno = calls.mallctl(key, value, length, null, 0);
  if (errno !== 0) throw new MallctlError(key, errno);
  return codec.decode(value) as MallctlValue<K>;
}

/** Whether jemalloc owns the block at an address, by its `arenas.lookup`. */
export function lookupArena(calls: JemallocCalls, address: Address): boolean {
  const arena = new Uint32Array(1);
  const length = BigUint64Array.of(4n);
  const block = BigUint64Array.of(BigInt(address));
  return calls.mallctl(ARENA_LOOKUP_KEY, arena, length, block, 8) === 0;
}
