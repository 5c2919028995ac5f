/**
 * What the interfaces without safety offer.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";

/**
 * The C functions of the allocator, as thin as the runtime's FFI allows. Nothing is checked and
 * nothing is counted: a double free, a foreign address or a use after free is what it is in C.
 * Whoever allocates frees, by {@linkcode RawAllocator.free} of the same allocator or by native code
 * that calls the allocator's own. `NULL` is 0.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const { raw } = memory;
 * const address = raw.malloc(64);
 * console.log(address !== 0, raw.usableSize(address) >= 64);
 * raw.free(address);
 * memory.close();
 * ```
 */
export interface RawAllocator {
  /** `malloc(size)`: a block of at least `size` bytes, or 0. */
  malloc(size: number): Address;
  /** `calloc(count, size)`: zeroed memory for `count` elements of `size` bytes, or 0. */
  calloc(count: number, size: number): Address;
  /**
   * `realloc(address, size)`: the block with a new size, perhaps elsewhere; 0 leaves it as it was.
   * What a size of 0 does differs between allocators, as it does in C.
   */
  realloc(address: Address, size: number): Address;
  /** `free(address)`: gives a block back; 0 does nothing. */
  free(address: Address): void;
  /** `aligned_alloc(alignment, size)`: the address is a multiple of the alignment, a power of two; or 0. */
  alignedAlloc(alignment: number, size: number): Address;
  /** `malloc_usable_size(address)`: the bytes that the allocator set aside for a block. */
  usableSize(address: Address): number;
}

/**
 * What the magazines of a {@linkcode CachedAllocator} hold.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const { cached } = memory;
 * cached.free(cached.malloc(48), 48);
 * const { blocks, bytes, refills } = cached.statistics();
 * console.log(blocks * 48 === bytes, refills);
 * memory.close();
 * ```
 */
export interface CachedStatistics {
  /** Free blocks that wait in magazines. */
  readonly blocks: number;
  /** Their size in bytes. */
  readonly bytes: number;
  /** How often a magazine was refilled by a call into native code. */
  readonly refills: number;
  /** How often half of a full magazine was given back by a call into native code. */
  readonly drains: number;
  /** Blocks in use; counted in debug mode only, else `null`. */
  readonly live: number | null;
}

/**
 * The C functions through magazines: free blocks of the common sizes, up to 32 KiB, are kept in
 * JavaScript and handed out without a call into native code. At most 4 MiB wait there, until
 * {@linkcode Allocator.collect}, until the allocator is closed, or until the thread ends.
 *
 * Sizes are checked; addresses are not, and a double free or a use after free is what it is in C,
 * unless the allocator was opened in debug mode. The size that a block was allocated with has to be
 * told when it is freed.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const { cached } = memory;
 * for (let i = 0; i < 1000; i++) {
 *   const address = cached.malloc(48);
 *   cached.free(address, 48);
 * }
 * console.log(cached.statistics().refills);
 * memory.close();
 * ```
 */
export interface CachedAllocator {
  /**
   * A block of at least `size` bytes, with undefined contents.
   *
   * @throws {OutOfMemoryError} when there is none.
   * @throws {RangeError} for a size that is none.
   * @throws {ClosedError} after the allocator was closed.
   */
  malloc(size: number): Address;
  /**
   * Zeroed memory for `count` elements of `size` bytes. It is freed as a block of `count * size`.
   *
   * @throws As {@linkcode CachedAllocator.malloc}.
   */
  calloc(count: number, size: number): Address;
  /**
   * A block with a new size and what fits of the old contents, perhaps elsewhere. When it throws,
   * the old block is as it was.
   *
   * @param oldSize The size that it was allocated with.
   * @throws As {@linkcode CachedAllocator.malloc}.
   */
  realloc(address: Address, oldSize: number, size: number): Address;
  /**
   * Gives a block back. An address of 0 does nothing.
   *
   * @param size The size that it was allocated with.
   * @throws {RangeError} for a size that is none.
   * @throws {BlockError} in debug mode, for an address that is not in use, or another size.
   * @throws {ClosedError} after the allocator was closed.
   */
  free(address: Address, size: number): void;
  /**
   * A block whose address is a multiple of the alignment, a power of two up to 2^30.
   *
   * @throws As {@linkcode CachedAllocator.malloc}.
   */
  alignedAlloc(alignment: number, size: number): Address;
  /** The bytes that the allocator set aside for a block. */
  usableSize(address: Address): number;
  /** What the magazines hold. */
  statistics(): CachedStatistics;
}
