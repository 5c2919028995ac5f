/**
 * What all adapters share: from raw functions and rows to a library's calls.
 *
 * @module
 */
import { BUILD_PACKAGE } from "./packages.ts";
import process from "node:process";
import { inspect } from "node:util";
import { LibraryClosedError, LibraryLoadError, SymbolError } from "./errors.ts";
import { processLibrary } from "./symbols/libc.ts";
import type {
  Adapter,
  Calls,
  NativeLibrary,
  ParameterType,
  ResultType,
  SymbolSignature,
  SymbolTable,
} from "./types.ts";

/** A function as a runtime's FFI makes it. */
export type RawFunction = (...args: unknown[]) => unknown;

/** What is particular about one native type in a runtime's FFI. */
export interface Conversion {
  /** The name in the runtime's FFI; absent where it is ours. */
  readonly native?: string;
  /** From our value to the FFI's, or back; absent where they are the same. */
  readonly convert?: (value: unknown) => unknown;
}

/** A runtime's conversions of arguments; a type without a row is taken as it is. */
export type ParameterConversions = Readonly<Partial<Record<ParameterType, Conversion>>>;

/** A runtime's conversions of results; a type without a row is given as it is. */
export type ResultConversions = Readonly<Partial<Record<ResultType, Conversion>>>;

/** A row's native types by the names of a runtime's FFI. */
export interface NativeSignature {
  /** The names of the arguments' types. */
  readonly parameters: readonly string[];
  /** The name of the result's type. */
  readonly result: string;
}

/** Names a row's types as a runtime's FFI does. */
export function nameTypes(
  signature: SymbolSignature,
  parameters: ParameterConversions,
  results: ResultConversions,
): NativeSignature {
  return {
    parameters: signature.parameters.map((type) => parameters[type]?.native ?? type),
    result: results[signature.result]?.native ?? signature.result,
  };
}

/** Each row's signature by the symbol's whole name, as a runtime's FFI takes them. */
export function nativeSymbols<S>(
  table: SymbolTable,
  prefix: string,
  toNative: (signature: SymbolSignature) => S,
): Record<string, S> {
  return Object.fromEntries(
    Object.entries(table).map(([symbol, signature]) => [prefix + symbol, toNative(signature)]),
  );
}

/** `long`: Windows alone gives it 32 bits on a 64-bit processor. */
export const LONG_TYPE: "i32" | "i64" = process.platform === "win32" ? "i32" : "i64";

/** What an adapter obtained from its runtime for one library. */
export interface RawLibrary {
  /** The function of a symbol; `undefined` when the library lacks it. */
  find(symbol: string, signature: SymbolSignature): RawFunction | undefined;
  /** Releases what the runtime holds. */
  close(): void;
}

const encoder = new TextEncoder();

/** A string as UTF-8 with a terminating NUL; refuses another type, and a string that has a NUL. */
export function encodeCString(value: unknown): Uint8Array<ArrayBuffer> {
  if (typeof value !== "string" || value.includes("\0")) {
    throw new TypeError(
      `Cannot pass a string to native code: it must be a string without NUL; got ${inspect(value)}`,
    );
  }
  return encoder.encode(value + "\0");
}

/**
 * A view as native code gets it: `NULL` for an empty one, as runtimes disagree on the address of
 * nothing. Refuses what is no view, and a view whose memory has ended.
 */
export function viewOrNull(value: unknown): ArrayBufferView | null {
  if (value === null) return null;
  const refused = "Cannot pass a buffer to native code";
  if (!ArrayBuffer.isView(value)) {
    const got = inspect(value, { depth: 0, maxArrayLength: 0 });
    throw new TypeError(`${refused}: it must be a view, or null; got ${got}`);
  }
  if ("detached" in value.buffer && value.buffer.detached) {
    throw new TypeError(`${refused}: it must be a view of memory that has not ended`);
  }
  return value.byteLength > 0 ? value : null;
}

/** `transfer` of the language, whatever a program has made of a buffer's own. */
const transfer = ArrayBuffer.prototype.transfer;

/** Moves a buffer's memory to another one, without copying. */
export function moveBuffer(buffer: ArrayBuffer): ArrayBuffer {
  return transfer.call(buffer);
}

/** A 64-bit result as an exact number, or a `RangeError`. */
export function toExactNumber(value: unknown): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new RangeError(
      `Cannot return a size or address: it must be at most ${Number.MAX_SAFE_INTEGER}; got ${value}`,
    );
  }
  return number;
}

/** Where pointers are numbers or bigints, an object is not a pointer. */
export function refusePointer(pointer: object): never {
  throw new TypeError(
    `Cannot determine an address: the pointer must be a number, a bigint or a pointer; got ${
      inspect(pointer)
    }`,
  );
}

/** Reads the runtime's own pointers by its function, which refuses others in words of its own. */
export function pointerReader(
  read: (pointer: object) => number | bigint,
): (pointer: object) => number | bigint {
  return (pointer) => {
    try {
      return read(pointer);
    } catch {
      return refusePointer(pointer);
    }
  };
}

/** A 64-bit result as a bigint, where a runtime gives small ones as numbers. */
export function widenToBigInt(value: unknown): bigint {
  return BigInt(value as bigint | number);
}

/** An exact number as the bigint that some runtimes ask for. */
export function toBigInt(value: unknown): bigint {
  return BigInt(value as number);
}

/** Wraps a raw function in its conversions; without any, it is the raw function itself. */
function bindCall(
  raw: RawFunction,
  signature: SymbolSignature,
  parameters: ParameterConversions,
  results: ResultConversions,
): RawFunction {
  const into = signature.parameters.map((type) => parameters[type]?.convert);
  const from = results[signature.result]?.convert;
  if (from === undefined && into.every((convert) => convert === undefined)) return raw;
  const count = into.length;
  return (...args) => {
    const converted = new Array(count);
    for (let i = 0; i < count; i++) {
      const convert = into[i];
      converted[i] = convert === undefined ? args[i] : convert(args[i]);
    }
    const result = raw(...converted);
    return from === undefined ? result : from(result);
  };
}

/**
 * An adapter's `open`.
 *
 * @param openRaw Opens a library in the runtime's way; `null` is the process itself, where it has no
 * name.
 */
export function libraryOpener(
  openRaw: (file: string | null, table: SymbolTable, prefix: string) => RawLibrary,
  parameters: ParameterConversions,
  results: ResultConversions,
): Adapter["open"] {
  return (path, table, prefix = "") =>
    bindLibrary(
      path,
      table,
      openRaw(path ?? processLibrary(), table, prefix),
      parameters,
      results,
      prefix,
    );
}

/**
 * Binds a table to an opened library. When a symbol that is not optional is missing, closes the
 * library and throws a `SymbolError` that names all that are missing.
 */
export function bindLibrary<const T extends SymbolTable>(
  path: string | null,
  table: T,
  raw: RawLibrary,
  parameters: ParameterConversions,
  results: ResultConversions,
  prefix = "",
): NativeLibrary<T> {
  const calls: Record<string, RawFunction | undefined> = {};
  const missing: string[] = [];
  for (const [symbol, signature] of Object.entries(table)) {
    const found = raw.find(prefix + symbol, signature);
    if (found !== undefined) calls[symbol] = bindCall(found, signature, parameters, results);
    else if (signature.optional !== true) missing.push(prefix + symbol);
  }
  const name = path ?? "this process";
  if (missing.length > 0) {
    raw.close();
    throw new SymbolError(name, missing);
  }
  let open = true;
  return {
    path,
    calls: calls as Calls<T>,
    close() {
      if (!open) return;
      open = false;
      for (const symbol of Object.keys(calls)) {
        calls[symbol] = () => {
          throw new LibraryClosedError(name, symbol);
        };
      }
      raw.close();
    },
  };
}

/** What to do about a refusal of the dynamic linker, by what it says. */
const LOAD_ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /static TLS|initial-exec TLS resolves to dynamic/,
    " The library was built for linking, not for loading at run time: preload it with " +
    `"offheap run", or build one that can be loaded with "npx ${BUILD_PACKAGE}".`,
  ],
  [
    /wrong ELF class|invalid ELF header|file too short|not a mach-o|not a valid Win32|exec format error/i,
    " The file is damaged or made for another machine.",
  ],
  [
    // What glibc, musl and Windows say of a file that only lacks something, too.
    /cannot open shared object file: No such file|shared library .*: No such file|specified module could not be found|code 126\b/,
    " If the file is there, it is made for another machine, or a library that it needs is missing.",
  ],
];

/** The error for a library that a runtime could not load, with the dynamic linker's own words. */
export function loadError(path: string | null, cause: unknown): LibraryLoadError {
  const name = path ?? "this process";
  const said = cause instanceof Error ? cause.message : String(cause);
  const advice = LOAD_ADVICE.find(([pattern]) => pattern.test(said))?.[1] ?? "";
  return new LibraryLoadError(
    `Cannot load "${name}": ${said.replace(/\.?$/, ".")}${advice}`,
    [{ origin: "path", path: name, outcome: said }],
    { cause },
  );
}
