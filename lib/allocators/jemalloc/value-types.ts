/**
 * How `mallctl` values are laid out in memory.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { readCString } from "../../../ffi/symbols/memory.ts";
import { type Address, NULL } from "../../../ffi/types.ts";

/** JavaScript's side of each type of value. */
export interface MallctlValues {
  /** A C string. */
  string: string;
  /** A `bool`. */
  bool: boolean;
  /** An `unsigned`. */
  unsigned: number;
  /** A `uint32_t`. */
  u32: number;
  /** A `size_t`. */
  size: number;
  /** A `ssize_t`. */
  ssize: number;
  /** An `int64_t`. */
  i64: bigint;
  /** A `uint64_t`. */
  u64: bigint;
}

/** The name of a type. */
export type MallctlType = keyof MallctlValues;

/** How a type is read. */
export interface MallctlCodec {
  /** The size of a value, in bytes. */
  readonly bytes: number;
  /** Reads a value. */
  readonly decode: (view: DataView) => MallctlValues[MallctlType];
}

function decodeString(view: DataView): string {
  const address = Number(view.getBigUint64(0, true)) as Address;
  if (address === NULL) throw new TypeError("Cannot read a mallctl string: its address is NULL");
  return readCString(address);
}

const UNSIGNED: MallctlCodec = { bytes: 4, decode: (view) => view.getUint32(0, true) };

/** The types. */
export const CODECS: Readonly<Record<MallctlType, MallctlCodec>> = {
  string: { bytes: 8, decode: decodeString },
  bool: { bytes: 1, decode: (view) => view.getUint8(0) !== 0 },
  unsigned: UNSIGNED,
  u32: UNSIGNED,
  size: { bytes: 8, decode: (view) => Number(view.getBigUint64(0, true)) },
  ssize: { bytes: 8, decode: (view) => Number(view.getBigInt64(0, true)) },
  i64: { bytes: 8, decode: (view) => view.getBigInt64(0, true) },
  u64: { bytes: 8, decode: (view) => view.getBigUint64(0, true) },
};

/** The types of values that are written. */
export type WritableType = "string" | "bool" | "size" | "ssize";

/** How a type is written. */
export interface MallctlEncoder {
  /** JavaScript's type of a value, by `typeof`. */
  readonly type: string;
  /** What a value must be. */
  readonly wanted: string;
  /** Whether it is. */
  readonly accepts: (value: unknown) => boolean;
  /** Writes a value; what it gives has to live until jemalloc has read it. */
  readonly encode: (view: DataView, value: unknown) => unknown;
}

function encodeString(view: DataView, value: unknown): Uint8Array {
  const text = new TextEncoder().encode(`${value}\0`);
  view.setBigUint64(0, BigInt(ffi().addressOf(text)), true);
  return text;
}

function whole(least: number): MallctlEncoder {
  return {
    type: "number",
    wanted: `a whole number, at least ${least}`,
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= least,
    encode: (view, value) => view.setBigInt64(0, BigInt(Number(value)), true),
  };
}

/** The types. */
export const ENCODERS: Readonly<Record<WritableType, MallctlEncoder>> = {
  string: {
    type: "string",
    wanted: "text without NUL",
    accepts: (value) => typeof value === "string" && !value.includes("\0"),
    encode: encodeString,
  },
  bool: {
    type: "boolean",
    wanted: "true or false",
    accepts: (value) => typeof value === "boolean",
    encode: (view, value) => view.setUint8(0, value === true ? 1 : 0),
  },
  size: whole(0),
  ssize: whole(-1),
};
