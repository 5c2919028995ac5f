/**
 * Single blocks: how allocators and heaps allocate, resize and free them.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import { ownOptions } from "../../options.ts";
import { cStringLength } from "../c-string.ts";
import type { Callee } from "../stack.ts";
import {
  alignmentOption,
  bytesOf,
  flagOption,
  MIN_ALIGNMENT,
  requireSize,
} from "../shared/arguments.ts";
import { type Block, NativeBlock, ownBlock } from "./block.ts";
import type { Live } from "./live.ts";
import type { Store } from "./store.ts";

/**
 * How a block is allocated.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const page = memory.allocate(4096, { alignment: 4096, zeroed: true });
 * console.log(page.address % 4096, page.bytes[4095]);
 * page.free();
 * memory.close();
 * ```
 */
export interface AllocateOptions {
  /**
   * The address is a multiple of it: a power of two, in bytes, from 1 to 2^30. Without it, 16 for a
   * block, which never has less, and 8 in an arena.
   */
  readonly alignment?: number | undefined;
  /** Fill the memory with zeros. Without it the bytes are what they last were. */
  readonly zeroed?: boolean | undefined;
  /**
   * Leave it to the garbage collector to free the block, some time after the last view of it was
   * dropped, as it is with an ordinary array: that is no leak then, and no stack is recorded.
   * {@linkcode Block.free} frees it at once all the same.
   */
  readonly managed?: boolean | undefined;
}

/**
 * How a block is allocated for bytes that are copied into it.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const text = memory.allocateFrom("hi", { terminated: true });
 * console.log(text.size, text.bytes.join(" "));
 * text.free();
 * memory.close();
 * ```
 */
export interface AllocateFromOptions {
  /** As in {@linkcode AllocateOptions}. */
  readonly alignment?: number | undefined;
  /** Put a zero byte after the bytes, as C strings have it; it counts in the block's size. */
  readonly terminated?: boolean | undefined;
  /** As in {@linkcode AllocateOptions}. */
  readonly managed?: boolean | undefined;
}

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
   * @throws {RangeError} for a bad size or alignment, and for a size that this
   * runtime's buffers cannot have (above 4 GiB in Bun).
   * @throws {TypeError} for bad options.
   * @throws {ClosedError} after the allocator was closed, or the heap destroyed.
   */
  allocate(size: number, options?: AllocateOptions): Block;
  /**
   * A block with a copy of these bytes, or of this string as UTF-8.
   *
   * @throws As {@linkcode BlockAllocator.allocate}, and a `TypeError` for what is neither, and for
   * bytes whose memory has ended.
   */
  allocateFrom(
    data: string | ArrayBufferView | ArrayBufferLike,
    options?: AllocateFromOptions,
  ): Block;
  /**
   * A block with a copy of the C string at an address, the zero at its end included.
   *
   * @throws As {@linkcode BlockAllocator.allocate}, and a `RangeError` for what is not an address, and
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

const ACTION = "allocate a block";
const REALLOCATE = "reallocate a block";
const NO_OPTIONS: AllocateOptions = {};
const OPTIONS: readonly (keyof AllocateOptions)[] = ["alignment", "zeroed", "managed"];
const FROM_OPTIONS: readonly (keyof AllocateFromOptions)[] = ["alignment", "terminated", "managed"];
const REALLOCATE_OPTIONS: readonly (keyof ReallocateOptions)[] = ["zeroed"];

/** What has the blocks of a store: an allocator or a heap. */
export class StoreAllocator implements BlockAllocator {
  readonly #store: Store;

  /** Allocates from a store. */
  constructor(store: Store) {
    this.#store = store;
  }

  allocate(size: number, options: AllocateOptions = NO_OPTIONS): Block {
    const [live, buffer] = this.#allocate(this.allocate, size, options);
    return new NativeBlock(this.#store, live, buffer);
  }

  allocateFrom(
    data: string | ArrayBufferView | ArrayBufferLike,
    options: AllocateFromOptions = {},
  ): Block {
    const { terminated, ...place } = ownOptions(ACTION, options, FROM_OPTIONS);
    const end = flagOption(ACTION, "terminated", terminated) ? 1 : 0;
    const bytes = bytesOf(ACTION, data);
    const [live, buffer] = this.#allocate(this.allocateFrom, bytes.length + end, place);
    const copy = new Uint8Array(buffer);
    copy.set(bytes);
    if (end === 1) copy[bytes.length] = 0;
    return new NativeBlock(this.#store, live, buffer);
  }

  blockFrom(address: Address, options: AllocateOptions = NO_OPTIONS): Block {
    // They are read before the string is: a property may be a function that ends its memory.
    const place = options === NO_OPTIONS ? options : { ...ownOptions(ACTION, options, OPTIONS) };
    const size = cStringLength(address) + 1;
    const [live, buffer] = this.#allocate(this.blockFrom, size, place);
    this.#store.parts.calls.offheap_move(live.address, address, size);
    return new NativeBlock(this.#store, live, buffer);
  }

  reallocate(block: Block, size: number, options: ReallocateOptions = {}): Block {
    const own = ownBlock(this.#store, REALLOCATE, block);
    requireSize(REALLOCATE, size);
    const { zeroed } = ownOptions(REALLOCATE, options, REALLOCATE_OPTIONS);
    own.resize(size, flagOption(REALLOCATE, "zeroed", zeroed));
    return own;
  }

  free(block: Block): void {
    ownBlock(this.#store, "free a block", block).free();
  }

  /** Memory for one of the user's methods, which must not return the result as it is: see `trace`. */
  #allocate(method: Callee, size: number, options: AllocateOptions): [Live, ArrayBuffer] {
    requireSize(ACTION, size);
    let alignment = MIN_ALIGNMENT;
    let zeroed = false;
    let managed = false;
    if (options !== NO_OPTIONS) {
      const own = ownOptions(ACTION, options, OPTIONS);
      alignment = alignmentOption(ACTION, own.alignment);
      zeroed = flagOption(ACTION, "zeroed", own.zeroed);
      managed = flagOption(ACTION, "managed", own.managed);
    }
    this.#store.requireOpen(ACTION);
    const trace = managed ? null : this.#store.parts.tracker.trace(method);
    return this.#store.allocate(size, alignment, zeroed, "block", trace, managed);
  }
}
