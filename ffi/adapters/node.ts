/**
 * The adapter for Node from 26 on: the builtin `node:ffi`.
 *
 * @module
 */
import { collectGarbage } from "../collect-garbage.ts";
import {
  encodeCString,
  libraryOpener,
  LONG_TYPE,
  moveBuffer,
  nameTypes,
  type ParameterConversions,
  type RawFunction,
  type RawLibrary,
  refusePointer,
  type ResultConversions,
  toBigInt,
  toExactNumber,
  viewOrNull,
} from "../bind-library.ts";
import { isMainThread, isUnmarked } from "../threads.ts";
import { awaitCompilerAtExit, callIndirectly } from "../optimised-calls.ts";
import type { Adapter, Address, NativePointer, RuntimeInfo } from "../types.ts";
import { cNames, load, START_CHANGES } from "./node-common.ts";

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

const PARAMETERS: ParameterConversions = {
  ...cNames(""),
  long: LONG_TYPE === "i32" ? { native: "int32" } : { native: "int64", convert: toBigInt },
  bool: { convert: Number },
  usize: { native: "uint64", convert: toBigInt },
  pointer: { native: "uint64", convert: toBigInt },
  buffer: { convert: viewOrNull },
  cstring: { native: "buffer", convert: encodeCString },
};

const RESULTS: ResultConversions = {
  ...cNames(""),
  long: { native: LONG_TYPE === "i32" ? "int32" : "int64", convert: toExactNumber },
  bool: { convert: Boolean },
  usize: { native: "uint64", convert: toExactNumber },
  pointer: { native: "uint64", convert: toExactNumber },
};

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

function openFile(ffi: NodeFfi, path: string | null): RawLibrary {
  const library = load(path, "--allow-ffi", () => new ffi.DynamicLibrary(path));
  return {
    find(symbol, signature) {
      if (!hasSymbol(library, symbol)) return undefined;
      const { parameters, result } = nameTypes(signature, PARAMETERS, RESULTS);
      const native = library.getFunction(symbol, { arguments: parameters, return: result });
      return isMainThread() ? native : callIndirectly(native, parameters.length);
    },
    close: () => library.close(),
  };
}

/** The adapter over the builtin module `node:ffi`. */
export function createNodeAdapter(runtime: RuntimeInfo, module: unknown): Adapter {
  const ffi = module as NodeFfi;
  if (isMainThread()) awaitCompilerAtExit();
  return {
    runtime,
    backend: "node:ffi",
    startChanges: START_CHANGES,
    open: libraryOpener((file) => openFile(ffi, file), PARAMETERS, RESULTS),
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
