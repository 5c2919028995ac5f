/**
 * What allocators and heaps have in common.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import type { AllocateFromOptions, AllocateOptions, Block } from "./block.ts";

/** How a block is resized. */
export interface ReallocateOptions {
  /** Fill what is new with zeros. Without it the new bytes are what they last were. */
  readonly zeroed?: boolean | undefined;
}

/**
 * Where single blocks come from: an {@linkcode Allocator} as a whole, or one {@linkcode Heap}. A
 * library that takes either leaves the choice to its callers.
 *
 * @example
 * ```ts
 * import { type BlockAllocator, openAllocator } from "@offheap/offheap";
 *
 * function sum(source: BlockAllocator, values: number[]): number {
 *   const block = source.allocate(values.length * 8);
 *   const numbers = block.as(Float64Array);
 *   numbers.set(values);
 *   const result = numbers.reduce((total, value) => total + value, 0);
 *   source.free(block);
 *   return result;
 * }
 *
 * const memory = openAllocator();
 * const heap = memory.heap();
 * console.log(sum(memory, [1, 2, 3]), sum(heap, [4, 5]));
 * heap.destroy();
 * memory.close();
 * ```
 */
export interface BlockAllocator {
  /**
   * A block of native memory. A size of 0 gives a block with an address of its own, whose views are
   * empty, and which is freed like any other.
   *
   * @param size In bytes: a whole number from 0 to 2^47.
   * @throws {OutOfMemoryError} when there is none; all else goes on.
   * @throws {RangeError} for a size or an alignment that is none, and for a size that this
   * runtime's buffers cannot have (above 4 GiB in Bun).
   * @throws {TypeError} for options that are none.
   * @throws {ClosedError} after the allocator was closed, or the heap destroyed.
   */
  allocate(size: number, options?: AllocateOptions): Block;
  /**
   * A block with a copy of these bytes, or of this string as UTF-8.
   *
   * @throws As {@linkcode BlockAllocator.allocate}.
   */
  allocateFrom(
    data: string | ArrayBufferView | ArrayBufferLike,
    options?: AllocateFromOptions,
  ): Block;
  /**
   * A block with a copy of the C string at an address, the zero at its end included.
   *
   * @throws As {@linkcode BlockAllocator.allocate}, and a `RangeError` for what is no address, and
   * for a string without an end in its first GiB.
   */
  blockFrom(address: Address, options?: AllocateOptions): Block;
  /**
   * Resizes a block, in place or elsewhere, with its alignment. It stays the same block; its views
   * from before are detached, also when the address has not changed. When it throws, the block and
   * its views are as they were.
   *
   * @returns The block.
   * @throws As {@linkcode BlockAllocator.allocate}, and {@linkcode Block.free}.
   */
  reallocate(block: Block, size: number, options?: ReallocateOptions): Block;
  /**
   * Frees a block that came from here.
   *
   * @throws {BlockError} for a block of another allocator or heap, and as {@linkcode Block.free}.
   */
  free(block: Block): void;
}
