/**
 * Memory that is somebody else's.
 *
 * @module
 */
import type { Address, NativePointer } from "../../../ffi/types.ts";
import type { ViewConstructor, ViewOf } from "./block.ts";

/** How memory is borrowed. */
export interface BorrowOptions {
  /**
   * What the memory belongs to, such as the object that closes a library or unmaps a file: it is not
   * collected as long as a view of the memory is there.
   */
  readonly owner?: object | undefined;
}

/**
 * A look at memory that offheap neither allocated nor frees: static or mapped memory of a library,
 * or an address that `raw` gave. Whoever owns it must keep it as long as the look lasts;
 * {@linkcode Borrowed.end} ends every view, and is to be called before the owner frees the memory.
 *
 * @example
 * ```ts
 * import { borrow, openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const address = memory.raw.calloc(4, 8);
 * const borrowed = borrow(address, 32, { owner: memory });
 * const numbers = borrowed.as(Float64Array).fill(0.5);
 * console.log(numbers.length, borrowed.address === address);
 * borrowed.end();
 * memory.raw.free(address);
 * console.log(numbers.length);
 * memory.close();
 * ```
 */
export interface Borrowed extends Disposable {
  /** Its size in bytes. */
  readonly size: number;
  /** Whether it can be looked at: {@linkcode Borrowed.end} was not called. */
  readonly live: boolean;
  /**
   * All of its bytes; empty after the end.
   *
   * @throws {BlockError} when something else has detached the buffer.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The buffer that all views share; detached at the end. */
  readonly buffer: ArrayBuffer;
  /**
   * The address of its first byte.
   *
   * @throws {BlockError} after the end.
   */
  readonly address: Address;
  /**
   * The address as this runtime's own FFI takes it, see {@linkcode NativePointer}.
   *
   * @throws {BlockError} after the end.
   */
  readonly pointer: NativePointer;
  /**
   * A view as elements of another type, as that of a block.
   *
   * @throws {RangeError} when it does not fit.
   * @throws {BlockError} after the end, or when something else has detached the buffer.
   */
  as<C extends ViewConstructor>(type: C, byteOffset?: number, length?: number): ViewOf<C>;
  /**
   * Detaches every view; the memory is left as it is.
   *
   * @throws {BlockError} when it was ended before, or something else has detached the buffer.
   */
  end(): void;
  /** Ends it, unless that was done: `using` calls it. */
  [Symbol.dispose](): void;
}
