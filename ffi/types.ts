/**
 * The contract between offheap and a runtime's foreign function interface: native types, symbol
 * tables as data, and what an adapter offers. Nothing here runs.
 *
 * @module
 */

import type { NativePointer } from "./adapters/native-pointer.ts";

export type { NativePointer };

/**
 * A native address as a branded number; 0 is C's `NULL`.
 *
 * A number holds every user-space address of the supported systems exactly (at most 2^52, which is
 * below `Number.MAX_SAFE_INTEGER`). Why not a bigint: see `docs/development/decisions/addresses.md`.
 *
 * @example
 * ```ts
 * import { type Address, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocate(64);
 * const end = block.address + block.size as Address; // what native code takes as the end
 * console.log(end - block.address, block.address % 16);
 * block.free();
 * memory.close();
 * ```
 */
export type Address = number & { readonly __address: true };

/** C's `NULL`. */
export const NULL: Address = 0 as Address;

/** JavaScript's side of each native type that a function may return. */
export interface ResultTypes {
  /** `void`. */
  void: undefined;
  /** `_Bool`. */
  bool: boolean;
  /** `int8_t`. */
  i8: number;
  /** `uint8_t`. */
  u8: number;
  /** `int16_t`. */
  i16: number;
  /** `uint16_t`. */
  u16: number;
  /** `int32_t`. */
  i32: number;
  /** `uint32_t`. */
  u32: number;
  /** `int64_t`: always a bigint. */
  i64: bigint;
  /** `uint64_t`: always a bigint. */
  u64: bigint;
  /** `long`, which is 32 bits on Windows and 64 elsewhere, as a number. */
  long: number;
  /** `size_t` as a number; a value above `Number.MAX_SAFE_INTEGER` throws a `RangeError`. */
  usize: number;
  /** `float`. */
  f32: number;
  /** `double`. */
  f64: number;
  /** Any pointer, as an {@linkcode Address}; 0 is `NULL`. */
  pointer: Address;
  /**
   * An {@linkcode Address} that the native function takes or returns as a C `double`, which every
   * runtime passes fastest: for C code of your own, as offheap's shim is. No `void *`.
   */
  pointerAsDouble: Address;
}

/** JavaScript's side of each native type that a function may take. */
export interface ParameterTypes extends Omit<ResultTypes, "void"> {
  /**
   * A pointer to the bytes of a view, valid during the call only; `null` and an empty view pass
   * `NULL`. Anything else is a `TypeError`, and so is a view whose memory has ended.
   */
  buffer: ArrayBufferView | null;
  /**
   * A `const char *`: the string as UTF-8 with a terminating NUL, valid during the call only. What is
   * no string, or has a NUL in it, is a `TypeError`.
   */
  cstring: string;
}

/** The name of a native type that a function may return. */
export type ResultType = keyof ResultTypes;

/** The name of a native type that a function may take. */
export type ParameterType = keyof ParameterTypes;

/** One row of a symbol table. */
export interface SymbolSignature {
  /** The native types of the arguments, in order. */
  readonly parameters: readonly ParameterType[];
  /** The native type of the result. */
  readonly result: ResultType;
  /** The symbol is missing in some versions of the library: its call is then `undefined`. */
  readonly optional?: true;
}

/** A library's symbols: C names verbatim as keys. */
export type SymbolTable = Readonly<Record<string, SymbolSignature>>;

/** The JavaScript arguments for a row's native types. */
export type Arguments<P extends readonly ParameterType[]> = {
  -readonly [K in keyof P]: ParameterTypes[P[K]];
};

/** The JavaScript function that a row describes. */
export type Call<S extends SymbolSignature> = (
  ...args: Arguments<S["parameters"]>
) => ResultTypes[S["result"]];

/** The functions that a table describes; an optional one may be missing. */
export type Calls<T extends SymbolTable> = {
  readonly [K in keyof T]: T[K] extends { readonly optional: true } ? Call<T[K]> | undefined
    : Call<T[K]>;
};

/** An opened native library. */
export interface NativeLibrary<T extends SymbolTable> {
  /** The path it was opened by; `null` for the process itself. */
  readonly path: string | null;
  /** Its functions. After {@linkcode NativeLibrary.close} each of them throws. */
  readonly calls: Calls<T>;
  /** Ends the use of the library; a second call does nothing. */
  close(): void;
}

/** What a runtime may have to be asked to permit; `all` is for what needs every permission there is. */
export type Permission = "env" | "read" | "ffi" | "all";

/** The JavaScript runtime of this process. */
export interface RuntimeInfo {
  /** `deno`, `bun` or `node`. */
  readonly name: string;
  /** Its version, without a leading `v`. */
  readonly version: string;
}

/**
 * What a runtime changes of its own process before any JavaScript runs, and `execve` would keep.
 * `lib/run/handover.ts` puts it back.
 */
export interface StartChanges {
  /**
   * Which of the descriptors that came in are marked to be closed by `execve`, as the runtime's own
   * are: `none`, `all`, or those before the first gap, which is looked for from 16 on.
   */
  readonly marks: "none" | "all" | "before-gap";
  /** Whether ignored signals and the mask of blocked ones become the defaults. */
  readonly resetsSignals: boolean;
  /** Whether it reads from the channel of `child_process.fork()` before a program listens. */
  readonly readsChannel: boolean;
}

/** What each runtime's adapter offers. */
export interface Adapter {
  /** The runtime that runs this. */
  readonly runtime: RuntimeInfo;
  /** What the runtime has changed of this process at its start. */
  readonly startChanges: StartChanges;
  /** The foreign function interface in use: `Deno.dlopen`, `bun:ffi`, `node:ffi` or `koffi`. */
  readonly backend: string;
  /**
   * Opens a library and binds its symbols. With `null`, binds what the process itself finds by
   * these names, in the dynamic linker's global search order: `malloc` is then the one that serves
   * this process, a preloaded one included. Windows has no such order: there it is the C runtime.
   *
   * @param prefix The prefix of each of the table's names in this library.
   * @throws {LibraryLoadError} when the library cannot be loaded.
   * @throws {SymbolError} when a symbol that is not optional is missing; nothing stays open.
   * @throws {PermissionError} when the runtime does not allow FFI.
   */
  open<const T extends SymbolTable>(
    path: string | null,
    table: T,
    prefix?: string,
  ): NativeLibrary<T>;
  /** The address of a view's first byte. It holds while the view's buffer is alive and attached. */
  addressOf(view: ArrayBufferView): Address;
  /**
   * An ArrayBuffer over `length` bytes of native memory at an address. It does not own them: they
   * must stay allocated until it was detached or collected.
   *
   * @param length At least 1.
   */
  wrap(address: Address, length: number): ArrayBuffer;
  /** Another buffer over the memory of one that was wrapped, which is detached. */
  rewrap(buffer: ArrayBuffer): ArrayBuffer;
  /** Whether a buffer that was wrapped can be detached: a program may have marked it. */
  detachable(buffer: ArrayBuffer): boolean;
  /**
   * Takes from offheap's shim what this runtime's own way does worse; the shim must be its own.
   * `null` where there is no such thing.
   */
  readonly useShim: ((path: string) => void) | null;
  /** Has the garbage collector look for what was dropped in earlier jobs, and waits for it. */
  collectGarbage(): void;
  /** What this runtime's own FFI takes as a pointer argument. */
  pointer(address: Address): NativePointer;
  /** The address of a pointer that this runtime's own FFI has given as an object. */
  pointerAddress(pointer: object): number | bigint;
}
