/**
 * The type of a pointer for the runtime's own FFI: it goes by the types that a program is checked
 * with, and so is the one type that names runtimes.
 *
 * @module
 */

/**
 * A pointer as the runtime's own FFI takes it, by the types that a program is checked with:
 * `Deno.PointerValue` with Deno's, `Pointer` of `bun:ffi` with bun-types, else the bigint of
 * `node:ffi`, which koffi's pointer parameters take, too. Where several are loaded, the first of
 * these counts.
 *
 * @example
 * ```ts
 * import { type NativePointer, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocate(64);
 * const pointer: NativePointer = block.pointer; // for a parameter declared as a pointer
 * console.log(pointer !== null);
 * block.free();
 * memory.close();
 * ```
 */
export type NativePointer = typeof globalThis extends {
  Deno: { UnsafePointer: { create(...value: never[]): infer DenoPointer } };
} ? DenoPointer
  : typeof globalThis extends { Bun: unknown } ? number & { __pointer__: null }
  : bigint;
