/**
 * The adapter for Bun: `bun:ffi`.
 *
 * @module
 */
import { markAsUntransferable } from "../threads.ts";
import { libcLibrary, LOADER_SYMBOLS, rtldDefault } from "../symbols/libc.ts";
import {
  encodeCString,
  libraryOpener,
  loadError,
  LONG_TYPE,
  moveBuffer,
  nameTypes,
  nativeSymbols,
  type ParameterConversions,
  type RawFunction,
  type RawLibrary,
  refusePointer,
  type ResultConversions,
  toExactNumber,
  viewOrNull,
} from "../bind-library.ts";
import type { Adapter, Address, NativePointer, SymbolSignature, SymbolTable } from "../types.ts";

interface BunSignature {
  readonly args: readonly string[];
  readonly returns: string;
  readonly ptr?: number;
}

interface BunLibrary {
  readonly symbols: Record<string, RawFunction>;
  close(): void;
}

/** The part of `bun:ffi` that this adapter uses. */
interface BunFfi {
  dlopen(path: string, symbols: Record<string, BunSignature>): BunLibrary;
  linkSymbols(symbols: Record<string, BunSignature>): BunLibrary;
  ptr(view: ArrayBufferView): number;
  toArrayBuffer(address: number, offset: number, length: number): ArrayBuffer;
}

const PARAMETERS: ParameterConversions = {
  long: { native: LONG_TYPE },
  usize: { native: "u64_fast" },
  pointer: { native: "ptr" },
  pointerAsDouble: { native: "f64" },
  buffer: { native: "ptr", convert: viewOrNull },
  cstring: { native: "ptr", convert: encodeCString },
};

const RESULTS: ResultConversions = {
  long: { native: LONG_TYPE, convert: toExactNumber },
  usize: { native: "u64_fast", convert: toExactNumber },
  pointer: { native: "u64_fast", convert: toExactNumber },
  pointerAsDouble: { native: "f64" },
};

function toNative(signature: SymbolSignature): BunSignature {
  const { parameters, result } = nameTypes(signature, PARAMETERS, RESULTS);
  return { args: parameters, returns: result };
}

/** Bun's error when a library was loaded and lacks a symbol, as against one that did not load. */
function isMissingSymbol(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code !== "ERR_DLOPEN_FAILED" &&
    /^Symbol "[^"]*" not found/.test(error.message);
}

/** Which of the symbols a library has: Bun refuses a whole table for one that is missing. */
function presentSymbols(
  ffi: BunFfi,
  path: string,
  symbols: Record<string, BunSignature>,
): Record<string, BunSignature> {
  const present: Record<string, BunSignature> = {};
  for (const [symbol, signature] of Object.entries(symbols)) {
    try {
      ffi.dlopen(path, { [symbol]: signature }).close();
      present[symbol] = signature;
    } catch (error) {
      if (!isMissingSymbol(error)) throw error;
    }
  }
  return present;
}

/**
 * Wrappers of closed libraries. Bun's collector may unmap a library whose wrapper it collects,
 * while a function of it is still referenced: each stays reachable as long as the process runs.
 */
const opened: BunLibrary[] = [];

function openFile(ffi: BunFfi, path: string, table: SymbolTable, prefix: string): RawLibrary {
  const symbols = nativeSymbols(table, prefix, toNative);
  let library: BunLibrary | undefined;
  try {
    try {
      library = ffi.dlopen(path, symbols);
    } catch (error) {
      if (!isMissingSymbol(error)) throw error;
      const present = presentSymbols(ffi, path, symbols);
      if (Object.keys(present).length > 0) library = ffi.dlopen(path, present);
    }
  } catch (error) {
    throw loadError(path, error);
  }
  if (library !== undefined) opened.push(library);
  return {
    find: (symbol) => library?.symbols[symbol],
    close: () => library?.close(),
  };
}

/** The process's own symbols, found by `dlsym` in the global search order. */
function openProcess(adapter: Adapter, ffi: BunFfi): RawLibrary {
  const libc = adapter.open(libcLibrary(), { dlsym: LOADER_SYMBOLS.dlsym });
  const linked: BunLibrary[] = [];
  return {
    find(symbol, signature) {
      const address = libc.calls.dlsym(rtldDefault(), symbol);
      if (address === 0) return undefined;
      const library = ffi.linkSymbols({ [symbol]: { ...toNative(signature), ptr: address } });
      linked.push(library);
      opened.push(library);
      return library.symbols[symbol];
    },
    close() {
      for (const library of linked) library.close();
      libc.close();
    },
  };
}

/**
 * A transfer list would take the memory away unseen. In Deno and Node 26 a marked buffer could not
 * be detached by its owner either.
 */
function protect(buffer: ArrayBuffer): ArrayBuffer {
  markAsUntransferable(buffer);
  return buffer;
}

/** The adapter for Bun, from its version and its `bun:ffi` module. */
export function createBunAdapter(version: string, module: unknown): Adapter {
  const ffi = module as BunFfi;
  const adapter: Adapter = {
    runtime: { name: "bun", version },
    backend: "bun:ffi",
    startChanges: { marks: "all", resetsSignals: false, readsChannel: false },
    open: libraryOpener(
      (file, table, prefix) =>
        file === null ? openProcess(adapter, ffi) : openFile(ffi, file, table, prefix),
      PARAMETERS,
      RESULTS,
    ),
    addressOf: (view) => ffi.ptr(view) as Address,
    wrap: (address, length) => protect(ffi.toArrayBuffer(address, 0, length)),
    rewrap: (buffer) => protect(moveBuffer(buffer)),
    detachable: () => true,
    pointer: (address) => address as unknown as NativePointer,
    useShim: null,
    // With `true` it is done when this returns.
    collectGarbage: () => Reflect.get(globalThis, "Bun").gc(true),
    pointerAddress: refusePointer,
  };
  return adapter;
}
