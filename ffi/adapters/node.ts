/**
 * The adapters for Node: the builtin `node:ffi`, and koffi where there is none.
 *
 * @module
 */
import process from "node:process";
import { isMainThread, markAsUntransferable } from "node:worker_threads";
import { collectGarbage } from "../collect-garbage.ts";
import { isPermissionRefusal, permissionError } from "../errors.ts";
import { processLibrary } from "../symbols/libc.ts";
import {
  bindLibrary,
  encodeCString,
  isUnmarked,
  loadError,
  LONG_TYPE,
  moveBuffer,
  nameTypes,
  type ParameterConversions,
  pointerReader,
  type RawFunction,
  type RawLibrary,
  refusePointer,
  type ResultConversions,
  toBigInt,
  toExactNumber,
  viewOrNull,
  widenToBigInt,
} from "../library.ts";
import { awaitCompilerAtExit, callIndirectly } from "../optimised-calls.ts";
import type {
  Adapter,
  Address,
  NativeLibrary,
  NativePointer,
  RuntimeInfo,
  StartChanges,
  SymbolSignature,
  SymbolTable,
} from "../types.ts";

/** The part of `node:ffi` that this adapter uses. */
interface NodeFfi {
  readonly DynamicLibrary: new (path: string | null) => NodeLibrary;
  getRawPointer(view: ArrayBufferView): bigint;
  toArrayBuffer(address: bigint, length: number, copy: boolean): ArrayBuffer;
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
  address(viewOrPointer: object): bigint | number;
  view(address: number, length: number): ArrayBuffer;
}

interface KoffiLibrary {
  func(name: string, result: string, parameters: readonly string[]): RawFunction;
  unload(): void;
}

/** The types that both name as C does; koffi in full, `node:ffi` without the `_t`. */
function cNames(suffix: "" | "_t") {
  return {
    i8: { native: `int8${suffix}` },
    u8: { native: `uint8${suffix}` },
    i16: { native: `int16${suffix}` },
    u16: { native: `uint16${suffix}` },
    i32: { native: `int32${suffix}` },
    u32: { native: `uint32${suffix}` },
    i64: { native: `int64${suffix}` },
    u64: { native: `uint64${suffix}` },
    f32: { native: "float" },
    f64: { native: "double" },
    pointerAsDouble: { native: "double" },
  };
}

const BUILTIN_PARAMETERS: ParameterConversions = {
  ...cNames(""),
  long: LONG_TYPE === "i32" ? { native: "int32" } : { native: "int64", convert: toBigInt },
  bool: { convert: Number },
  usize: { native: "uint64", convert: toBigInt },
  pointer: { native: "uint64", convert: toBigInt },
  buffer: { convert: viewOrNull },
  cstring: { native: "buffer", convert: encodeCString },
};

const BUILTIN_RESULTS: ResultConversions = {
  ...cNames(""),
  long: { native: LONG_TYPE === "i32" ? "int32" : "int64", convert: toExactNumber },
  bool: { convert: Boolean },
  usize: { native: "uint64", convert: toExactNumber },
  pointer: { native: "uint64", convert: toExactNumber },
};

const KOFFI_PARAMETERS: ParameterConversions = {
  ...cNames("_t"),
  long: { native: "long" },
  usize: { native: "uint64_t" },
  pointer: { native: "uint64_t" },
  buffer: { native: "void *", convert: viewOrNull },
  cstring: { native: "void *", convert: encodeCString },
};

const KOFFI_RESULTS: ResultConversions = {
  ...cNames("_t"),
  long: { native: "long", convert: toExactNumber },
  i64: { native: "int64_t", convert: widenToBigInt },
  u64: { native: "uint64_t", convert: widenToBigInt },
  usize: { native: "uint64_t", convert: toExactNumber },
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
      const { parameters, result } = nameTypes(signature, BUILTIN_PARAMETERS, BUILTIN_RESULTS);
      const native = library.getFunction(symbol, { arguments: parameters, return: result });
      return isMainThread ? native : callIndirectly(native, parameters.length);
    },
    close: () => library.close(),
  };
}

function findInKoffi(
  library: KoffiLibrary,
  symbol: string,
  signature: SymbolSignature,
): RawFunction | undefined {
  const { parameters, result } = nameTypes(signature, KOFFI_PARAMETERS, KOFFI_RESULTS);
  try {
    return library.func(symbol, result, parameters);
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

/** Node does this before it reads its options. */
const START_CHANGES: StartChanges = {
  marks: "before-gap",
  resetsSignals: true,
  readsChannel: false,
};

/** The adapter over the builtin module `node:ffi`. */
export function createNodeAdapter(runtime: RuntimeInfo, module: unknown): Adapter {
  const ffi = module as NodeFfi;
  if (isMainThread) awaitCompilerAtExit();
  return {
    runtime,
    backend: "node:ffi",
    startChanges: START_CHANGES,
    open<const T extends SymbolTable>(
      path: string | null,
      table: T,
      prefix = "",
    ): NativeLibrary<T> {
      const raw = openBuiltin(ffi, path ?? processLibrary());
      return bindLibrary(path, table, raw, BUILTIN_PARAMETERS, BUILTIN_RESULTS, prefix);
    },
    addressOf: (view) => toExactNumber(ffi.getRawPointer(view)) as Address,
    wrap: (address, length) => ffi.toArrayBuffer(BigInt(address), length, false),
    rewrap: moveBuffer,
    detachable: isUnmarked,
    useShim: null,
    pointer: (address) => BigInt(address) as unknown as NativePointer,
    collectGarbage,
    pointerAddress: refusePointer,
  };
}

/** Whether a buffer that is marked as untransferable can still be detached by its owner. */
function marksCanBeDetached(): boolean {
  const buffer = new ArrayBuffer(1);
  markAsUntransferable(buffer);
  try {
    moveBuffer(buffer);
    return true;
  } catch {
    return false;
  }
}

/** Makes a buffer; `undefined` when Node makes none. */
type Wrap = (address: number, length: number) => ArrayBuffer | undefined;

/** The function of the shim as an addon: see `ffi/native/node-api.c`. */
function loadWrap(path: string): Wrap {
  const addon: { exports: { wrap?: Wrap } } = { exports: {} };
  load(path, "--allow-addons", () => process.dlopen(addon, path));
  const { wrap } = addon.exports;
  if (wrap !== undefined) return wrap;
  throw loadError(path, new Error("Node lacks a function of Node-API that it needs"));
}

/** The buffers of koffi, until there is the shim, and of the shim from then on. */
function nodeApiBuffers(
  koffi: Koffi,
): Pick<Adapter, "wrap" | "rewrap" | "detachable" | "useShim"> {
  let make: Wrap = (address, length) => koffi.view(address, length);
  const wrap = (address: Address, length: number): ArrayBuffer => {
    const buffer = make(address, length);
    if (buffer !== undefined) return buffer;
    throw new RangeError(`Node makes no buffer over ${length} bytes`);
  };
  const useShim = (path: string): void => {
    make = loadWrap(path);
  };
  if (!marksCanBeDetached()) {
    // Node 24: the mark that Node-API sets is another one, and moved buffers have none.
    return {
      wrap: (address, length) => moveBuffer(wrap(address, length)),
      rewrap: moveBuffer,
      detachable: isUnmarked,
      useShim,
    };
  }
  return {
    wrap,
    rewrap(buffer) {
      const moved = moveBuffer(buffer);
      // As those that Node-API makes are.
      markAsUntransferable(moved);
      return moved;
    },
    detachable: () => true,
    useShim,
  };
}

/** The adapter over the npm package koffi. */
export function createKoffiAdapter(runtime: RuntimeInfo, module: unknown): Adapter {
  const koffi = module as Koffi;
  return {
    ...nodeApiBuffers(koffi),
    runtime,
    backend: "koffi",
    startChanges: START_CHANGES,
    open<const T extends SymbolTable>(
      path: string | null,
      table: T,
      prefix = "",
    ): NativeLibrary<T> {
      const raw = openKoffi(koffi, path ?? processLibrary());
      return bindLibrary(path, table, raw, KOFFI_PARAMETERS, KOFFI_RESULTS, prefix);
    },
    addressOf: (view) => toExactNumber(koffi.address(view)) as Address,
    pointer: (address) => BigInt(address) as unknown as NativePointer,
    collectGarbage,
    pointerAddress: pointerReader((pointer) => koffi.address(pointer)),
  };
}
