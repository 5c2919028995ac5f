/**
 * Addresses for the runtime's own FFI.
 *
 * @module
 */
import { foreign } from "../../ffi/mod.ts";
import type { Address, NativePointer } from "../../ffi/types.ts";
import { requireWhole } from "./sizes.ts";

/**
 * An address as this runtime's own FFI takes it where a pointer is declared: for an address that was
 * computed, or that an arena or `raw` gave. A block has its own in {@linkcode Block.pointer}.
 *
 * It keeps nothing alive: the memory must stay allocated while native code uses it.
 *
 * @param address In bytes; 0 is `NULL`.
 * @returns A `Deno.PointerObject`, a number in Bun, a bigint for `node:ffi` and for koffi; `null`
 * for `NULL` in Deno.
 * @throws {RangeError | TypeError} for what is no address.
 * @example
 * ```ts
 * import { type Address, nativePointer, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const arena = memory.arena();
 * const numbers = arena.view(Int32Array, 16);
 * const fifth = arena.addressOf(numbers) + 4 * numbers.BYTES_PER_ELEMENT as Address;
 * console.log(nativePointer(fifth) !== null);
 * arena.free();
 * memory.close();
 * ```
 */
export function nativePointer(address: Address): NativePointer {
  requireWhole("make a pointer", "the address", address, 0, 2 ** 52);
  return foreign().pointer(address);
}
