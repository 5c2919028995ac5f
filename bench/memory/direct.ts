/**
 * malloc and free as a careful author would call them without offheap: directly in the runtime's own FFI,
 * by each type that would do for an address.
 *
 * @module
 */
import { createRequire } from "node:module";
import process from "node:process";

/** A function of a runtime's FFI. */
export type Fn = (value: unknown) => unknown;

/** One way to call them. */
export interface Direct {
  /** The FFI, and the type of an address. */
  readonly name: string;
  readonly malloc: Fn;
  readonly free: Fn;
  /** A size as `malloc` takes it. */
  readonly sizeOf: (size: number) => number | bigint;
}

/** The names of the two functions in an allocator's library. */
const NAMES: Readonly<Record<string, readonly [string, string]>> = {
  jemalloc: ["malloc", "free"],
  mimalloc: ["mi_malloc", "mi_free"],
};

interface DenoFfi {
  dlopen(path: string, table: object): { symbols: Record<string, Fn> };
}

interface BunFfi {
  dlopen(path: string, table: object): { symbols: Record<string, Fn> };
}

interface NodeFfi {
  readonly DynamicLibrary: new (path: string) => {
    getFunction(name: string, signature: object): Fn;
  };
}

/** The part of koffi that is used here. */
export interface Koffi {
  load(path: string): { func(name: string, result: string, parameters: string[]): Fn };
  alloc(type: string, length: number): unknown;
  free(pointer: unknown): void;
}

/** Loads koffi. */
export function loadKoffi(): Koffi {
  return createRequire(import.meta.url)("koffi");
}

const asNumber = (size: number): number => size;

function unknownSymbol(name: string): never {
  throw new Error(`Cannot measure: there is no "${name}"`);
}

function denoDirect(deno: DenoFfi, path: string, [malloc, free]: readonly [string, string]) {
  return ["usize", "pointer"].map((type): Direct => {
    const { symbols } = deno.dlopen(path, {
      [malloc]: { parameters: ["usize"], result: type },
      [free]: { parameters: [type], result: "void" },
    });
    return {
      name: `Deno.dlopen, ${type}`,
      malloc: symbols[malloc] ?? unknownSymbol(malloc),
      free: symbols[free] ?? unknownSymbol(free),
      sizeOf: asNumber,
    };
  });
}

function bunDirect(ffi: BunFfi, path: string, [malloc, free]: readonly [string, string]) {
  return ["ptr", "u64_fast", "usize"].map((type): Direct => {
    const { symbols } = ffi.dlopen(path, {
      [malloc]: { args: [type === "ptr" ? "usize" : type], returns: type },
      [free]: { args: [type], returns: "void" },
    });
    return {
      name: `bun:ffi, ${type}`,
      malloc: symbols[malloc] ?? unknownSymbol(malloc),
      free: symbols[free] ?? unknownSymbol(free),
      sizeOf: asNumber,
    };
  });
}

function nodeDirect(ffi: NodeFfi, path: string, [malloc, free]: readonly [string, string]) {
  return ["uint64", "pointer"].map((type): Direct => {
    const library = new ffi.DynamicLibrary(path);
    return {
      name: `node:ffi, ${type}`,
      malloc: library.getFunction(malloc, { arguments: ["uint64"], return: type }),
      free: library.getFunction(free, { arguments: [type], return: "void" }),
      sizeOf: BigInt,
    };
  });
}

function koffiDirect(koffi: Koffi, path: string, [malloc, free]: readonly [string, string]) {
  return ["uint64_t", "void *"].map((type): Direct => {
    const library = koffi.load(path);
    return {
      name: `koffi, ${type}`,
      malloc: library.func(malloc, type, ["uint64_t"]),
      free: library.func(free, "void", [type]),
      sizeOf: asNumber,
    };
  });
}

/** Each way to call malloc and free of an allocator's library in the runtime that runs this. */
export function directCalls(allocator: string, path: string): Direct[] {
  const names = NAMES[allocator] ?? unknownSymbol(allocator);
  if ("deno" in process.versions) {
    return denoDirect(Reflect.get(globalThis, "Deno") as DenoFfi, path, names);
  }
  if ("bun" in process.versions) {
    return bunDirect(process.getBuiltinModule("bun:ffi") as unknown as BunFfi, path, names);
  }
  const builtin = process.getBuiltinModule("node:ffi") as NodeFfi | undefined;
  return builtin === undefined
    ? koffiDirect(loadKoffi(), path, names)
    : nodeDirect(builtin, path, names);
}
