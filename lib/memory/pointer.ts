/**
 * Addresses for the runtime's own FFI.
 *
 * @module
 */
import { ffi } from "../../ffi/mod.ts";
import { type Address, type NativePointer, NULL } from "../../ffi/types.ts";
import { requireWhole } from "./shared/arguments.ts";

/**
 * An address as this runtime's own FFI takes it where a pointer is declared: for an address that was
 * computed, or that an arena or `raw` gave. A block has its own in {@linkcode Block.pointer}.
 *
 * It keeps nothing alive: the memory must stay allocated while native code uses it.
 *
 * @param address In bytes; 0 is `NULL`.
 * @returns A `Deno.PointerObject`, a number in Bun, a bigint for `node:ffi` and for koffi; `null`
 * for `NULL` in Deno. Its type is that of the FFI: see {@linkcode NativePointer}.
 * @throws {RangeError | TypeError} for what is not an address.
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
  return ffi().pointer(address);
}

/**
 * The address of what this runtime's own FFI has given as a pointer: the way back from
 * {@linkcode nativePointer}. An {@linkcode Address} is what `borrow` and `adopt` take, and what can
 * be computed with.
 *
 * @param pointer A `Deno.PointerObject`, a number or a bigint, or a pointer of koffi's; `null` is
 * `NULL`.
 * @returns In bytes; 0 for `NULL`.
 * @throws {RangeError | TypeError} for what is not a pointer, and for a number that is not an address.
 * @example
 * ```ts
 * import { nativeAddress, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const block = memory.allocate(64);
 * console.log(nativeAddress(block.pointer) === block.address, nativeAddress(null));
 * block.free();
 * memory.close();
 * ```
 */
export function nativeAddress(pointer: NativePointer | object | bigint | number | null): Address {
  if (pointer === null) return NULL;
  const value = typeof pointer === "object" ? ffi().pointerAddress(pointer) : pointer;
  const address = typeof value === "bigint" ? Number(value) : value;
  requireWhole("find an address", "the pointer", address, 0, 2 ** 52);
  return address as Address;
}
