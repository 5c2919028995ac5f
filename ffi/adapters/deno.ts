/**
 * The adapter for Deno: `Deno.dlopen`.
 *
 * @module
 */
import { isPermissionRefusal, PermissionError } from "../errors.ts";
import { collectGarbage } from "../collect-garbage.ts";
import { libcLibrary, LOADER_SYMBOLS, rtldDefault } from "../symbols/libc.ts";
import {
  encodeCString,
  libraryOpener,
  loadError,
  LONG_TYPE,
  moveBuffer,
  nameTypes,
  type NativeSignature,
  nativeSymbols,
  type ParameterConversions,
  pointerReader,
  type RawFunction,
  type RawLibrary,
  type ResultConversions,
  toExactNumber,
  viewOrNull,
  widenToBigInt,
} from "../bind-library.ts";
import { isUnmarked } from "../threads.ts";
import type {
  Adapter,
  Address,
  NativePointer,
  Permission,
  SymbolSignature,
  SymbolTable,
} from "../types.ts";

interface DenoSignature extends NativeSignature {
  readonly optional: true;
}

type PointerObject = object;

/** What Deno says of a permission; it follows what is granted and revoked later. */
interface PermissionState {
  readonly state: string;
  readonly partial?: boolean;
}

/** The part of the global `Deno` that this adapter uses. */
interface DenoNamespace {
  readonly version: { readonly deno: string };
  dlopen(
    path: string,
    symbols: Record<string, DenoSignature>,
  ): { readonly symbols: Record<string, RawFunction | null>; close(): void };
  readonly permissions: {
    querySync(descriptor: { name: string }): PermissionState;
  };
  readonly UnsafeFnPointer: new (
    pointer: PointerObject,
    signature: DenoSignature,
  ) => { readonly call: RawFunction };
  readonly UnsafePointer: {
    create(address: bigint): PointerObject | null;
    of(view: ArrayBufferView): PointerObject | null;
    value(pointer: PointerObject | null): bigint | number;
  };
  readonly UnsafePointerView: {
    getArrayBuffer(pointer: PointerObject | null, length: number, offset: number): ArrayBuffer;
  };
}

const PARAMETERS: ParameterConversions = {
  long: { native: LONG_TYPE },
  pointer: { native: "usize" },
  pointerAsDouble: { native: "f64" },
  buffer: { convert: viewOrNull },
  cstring: { native: "buffer", convert: encodeCString },
};

const RESULTS: ResultConversions = {
  long: { native: LONG_TYPE, convert: toExactNumber },
  i64: { convert: widenToBigInt },
  u64: { convert: widenToBigInt },
  usize: { convert: toExactNumber },
  pointer: { native: "usize", convert: toExactNumber },
  pointerAsDouble: { native: "f64" },
};

/** Every symbol is bound as optional: which of them are missing is decided in one place. */
function toNative(signature: SymbolSignature): DenoSignature {
  return { ...nameTypes(signature, PARAMETERS, RESULTS), optional: true };
}

/** What is granted by `--allow-all` at least: Deno does not report whether that flag was given. */
const ALL = ["read", "write", "net", "env", "sys", "run", "ffi"] as const;

/** What was granted when it was last asked for: a question takes several times as long as a look. */
const granted = new Map<string, PermissionState>();

/** The flags of what was not granted at all; what was for some names was meant so. */
export function missingDenoFlags(namespace: unknown, needs: readonly Permission[]): string[] {
  const deno = namespace as DenoNamespace;
  const isMissing = (name: string): boolean => {
    if (granted.get(name)?.state === "granted") return false;
    const permission = deno.permissions.querySync({ name });
    granted.set(name, permission);
    return permission.state !== "granted" && permission.partial !== true;
  };
  return needs.filter((need) => need === "all" ? ALL.some(isMissing) : isMissing(need))
    .map((need) => `--allow-${need}`);
}

/**
 * With `--allow-ffi` for some paths only, Deno takes a bare name, by which the dynamic linker would
 * find a library, for a file in the working directory.
 */
function isScopedOut(deno: DenoNamespace, path: string): boolean {
  return !/[\\/]/.test(path) && deno.permissions.querySync({ name: "ffi" }).state !== "granted";
}

function openFile(
  deno: DenoNamespace,
  path: string,
  table: SymbolTable,
  prefix: string,
): RawLibrary {
  const symbols = nativeSymbols(table, prefix, toNative);
  let library;
  try {
    library = deno.dlopen(path, symbols);
  } catch (error) {
    if (isPermissionRefusal(error) || isScopedOut(deno, path)) {
      const how = isPermissionRefusal(error) ? "" : " with --allow-ffi for some paths only";
      throw new PermissionError(`load "${path}"${how}`, "--allow-ffi", { cause: error });
    }
    throw loadError(path, error);
  }
  return {
    find: (symbol) => library.symbols[symbol] ?? undefined,
    close: () => library.close(),
  };
}

/** The process's own symbols, found by `dlsym` in the global search order. */
function openProcess(adapter: Adapter, deno: DenoNamespace): RawLibrary {
  const libc = adapter.open(libcLibrary(), { dlsym: LOADER_SYMBOLS.dlsym });
  return {
    find(symbol, signature) {
      const address = libc.calls.dlsym(rtldDefault(), symbol);
      const pointer = deno.UnsafePointer.create(BigInt(address));
      if (pointer === null) return undefined;
      const bound = new deno.UnsafeFnPointer(pointer, toNative(signature));
      return (...args) => bound.call(...args);
    },
    close: () => libc.close(),
  };
}

/** The adapter for the runtime whose global namespace is given. */
export function createDenoAdapter(namespace: unknown): Adapter {
  const deno = namespace as DenoNamespace;
  const adapter: Adapter = {
    runtime: { name: "deno", version: deno.version.deno },
    backend: "Deno.dlopen",
    startChanges: { marks: "none", resetsSignals: false, readsChannel: true },
    open: libraryOpener(
      (file, table, prefix) =>
        file === null ? openProcess(adapter, deno) : openFile(deno, file, table, prefix),
      PARAMETERS,
      RESULTS,
    ),
    addressOf(view) {
      return toExactNumber(deno.UnsafePointer.value(deno.UnsafePointer.of(view))) as Address;
    },
    wrap(address, length) {
      const pointer = deno.UnsafePointer.create(BigInt(address));
      return deno.UnsafePointerView.getArrayBuffer(pointer, length, 0);
    },
    rewrap: moveBuffer,
    detachable: isUnmarked,
    pointer: (address) => deno.UnsafePointer.create(BigInt(address)) as unknown as NativePointer,
    useShim: null,
    collectGarbage,
    pointerAddress: pointerReader((pointer) => deno.UnsafePointer.value(pointer)),
  };
  return adapter;
}
