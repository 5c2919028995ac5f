/**
 * The adapters for Node: the builtin `node:ffi`, and koffi where there is none.
 *
 * @module
 */
import { isPermissionRefusal, permissionError } from "./errors.ts";
import {
  bindLibrary,
  encodeCString,
  loadError,
  type ParameterConversions,
  type RawFunction,
  type RawLibrary,
  type ResultConversions,
  toBigInt,
  toExactNumber,
  viewOrNull,
} from "./library.ts";
import type {
  Adapter,
  Address,
  NativeLibrary,
  RuntimeInfo,
  SymbolSignature,
  SymbolTable,
} from "./types.ts";

/** The part of `node:ffi` that this adapter uses. */
interface NodeFfi {
  readonly DynamicLibrary: new (path: string | null) => NodeLibrary;
  getRawPointer(view: ArrayBufferView): bigint;
}

interface NodeLibrary {
  getSymbol(name: string): bigint;
  getFunction(
    name: string,
    signature: { readonly arguments: readonly string[]; readonly return: string },
  ): RawFunction;
  close(): void;
}

/** The part of koffi that this adapter uses. */
interface Koffi {
  load(path: string | null): KoffiLibrary;
  address(view: ArrayBufferView): bigint | number;
}

interface KoffiLibrary {
  func(name: string, result: string, parameters: readonly string[]): RawFunction;
  unload(): void;
}

const BUILTIN_PARAMETERS: ParameterConversions = {
  bool: { native: "bool", convert: Number },
  i8: { native: "int8" },
  u8: { native: "uint8" },
  i16: { native: "int16" },
  u16: { native: "uint16" },
  i32: { native: "int32" },
  u32: { native: "uint32" },
  i64: { native: "int64" },
  u64: { native: "uint64" },
  usize: { native: "uint64", convert: toBigInt },
  f32: { native: "float" },
  f64: { native: "double" },
  pointer: { native: "uint64", convert: toBigInt },
  buffer: { native: "buffer", convert: viewOrNull },
  cstring: { native: "buffer", convert: encodeCString },
};

const BUILTIN_RESULTS: ResultConversions = {
  void: { native: "void" },
  bool: { native: "bool", convert: Boolean },
  i8: { native: "int8" },
  u8: { native: "uint8" },
  i16: { native: "int16" },
  u16: { native: "uint16" },
  i32: { native: "int32" },
  u32: { native: "uint32" },
  i64: { native: "int64" },
  u64: { native: "uint64" },
  usize: { native: "uint64", convert: toExactNumber },
  f32: { native: "float" },
  f64: { native: "double" },
  pointer: { native: "uint64", convert: toExactNumber },
};

const KOFFI_PARAMETERS: ParameterConversions = {
  bool: { native: "bool" },
  i8: { native: "int8_t" },
  u8: { native: "uint8_t" },
  i16: { native: "int16_t" },
  u16: { native: "uint16_t" },
  i32: { native: "int32_t" },
  u32: { native: "uint32_t" },
  i64: { native: "int64_t" },
  u64: { native: "uint64_t" },
  usize: { native: "uint64_t" },
  f32: { native: "float" },
  f64: { native: "double" },
  pointer: { native: "uint64_t" },
  buffer: { native: "void *", convert: viewOrNull },
  cstring: { native: "void *", convert: encodeCString },
};

const KOFFI_RESULTS: ResultConversions = {
  void: { native: "void" },
  bool: { native: "bool" },
  i8: { native: "int8_t" },
  u8: { native: "uint8_t" },
  i16: { native: "int16_t" },
  u16: { native: "uint16_t" },
  i32: { native: "int32_t" },
  u32: { native: "uint32_t" },
  i64: { native: "int64_t", convert: (value) => BigInt(value as bigint | number) },
  u64: { native: "uint64_t", convert: (value) => BigInt(value as bigint | number) },
  usize: { native: "uint64_t", convert: toExactNumber },
  f32: { native: "float" },
  f64: { native: "double" },
  pointer: { native: "uint64_t", convert: toExactNumber },
};

function load<L>(path: string | null, flag: string, attempt: () => L): L {
  try {
    return attempt();
  } catch (error) {
    if (isPermissionRefusal(error)) {
      throw permissionError(`load "${path ?? "this process"}"`, flag, error);
    }
    throw loadError(path, error);
  }
}

function hasSymbol(library: NodeLibrary, symbol: string): boolean {
  try {
    library.getSymbol(symbol);
    return true;
  } catch (error) {
    if (error instanceof Error && /undefined symbol|dlsym|not found/i.test(error.message)) {
      return false;
    }
    throw error;
  }
}

function openBuiltin(ffi: NodeFfi, path: string | null): RawLibrary {
  const library = load(path, "--allow-ffi", () => new ffi.DynamicLibrary(path));
  return {
    find(symbol, signature) {
      if (!hasSymbol(library, symbol)) return undefined;
      return library.getFunction(symbol, {
        arguments: signature.parameters.map((type) => BUILTIN_PARAMETERS[type].native),
        return: BUILTIN_RESULTS[signature.result].native,
      });
    },
    close: () => library.close(),
  };
}

function findInKoffi(
  library: KoffiLibrary,
  symbol: string,
  signature: SymbolSignature,
): RawFunction | undefined {
  try {
    return library.func(
      symbol,
      KOFFI_RESULTS[signature.result].native,
      signature.parameters.map((type) => KOFFI_PARAMETERS[type].native),
    );
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("Cannot find function")) {
      return undefined;
    }
    throw error;
  }
}

function openKoffi(koffi: Koffi, path: string | null): RawLibrary {
  const library = load(path, "--allow-addons", () => koffi.load(path));
  return {
    find: (symbol, signature) => findInKoffi(library, symbol, signature),
    close: () => library.unload(),
  };
}

/** The adapter over the builtin module `node:ffi`. */
export function createNodeAdapter(runtime: RuntimeInfo, module: unknown): Adapter {
  const ffi = module as NodeFfi;
  return {
    runtime,
    backend: "node:ffi",
    open<const T extends SymbolTable>(path: string | null, table: T): NativeLibrary<T> {
      const raw = openBuiltin(ffi, path);
      return bindLibrary(path, table, raw, BUILTIN_PARAMETERS, BUILTIN_RESULTS);
    },
    addressOf: (view) => toExactNumber(ffi.getRawPointer(view)) as Address,
  };
}

/** The adapter over the npm package koffi. */
export function createKoffiAdapter(runtime: RuntimeInfo, module: unknown): Adapter {
  const koffi = module as Koffi;
  return {
    runtime,
    backend: "koffi",
    open<const T extends SymbolTable>(path: string | null, table: T): NativeLibrary<T> {
      const raw = openKoffi(koffi, path);
      return bindLibrary(path, table, raw, KOFFI_PARAMETERS, KOFFI_RESULTS);
    },
    addressOf: (view) => toExactNumber(koffi.address(view)) as Address,
  };
}
