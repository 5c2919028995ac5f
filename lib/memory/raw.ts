/**
 * The C functions, without anything in between.
 *
 * @module
 */
import type { Address } from "../../ffi/types.ts";
import { ClosedError } from "../errors.ts";
import type { MemoryCalls } from "../allocators/memory.ts";

/**
 * The C functions of the allocator, as thin as the runtime's FFI allows. Nothing is checked and
 * nothing is counted: a double free, a foreign address, no address or a use after free is what it
 * is in C.
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
  /** `malloc_usable_size(address)`: the usable size of a block in bytes. */
  usableSize(address: Address): number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The functions of one source, and how to end them. */
export interface RawFunctions {
  /** The functions. */
  readonly raw: RawAllocator;
  /** Makes each of them throw from then on. */
  close(): void;
}

/** Binds the functions to a source. */
export function openRaw(calls: MemoryCalls, source: Address): RawFunctions {
  const {
    offheap_malloc,
    offheap_calloc,
    offheap_realloc,
    offheap_free,
    offheap_aligned_alloc,
    offheap_usable_size,
  } = calls;
  const raw: Mutable<RawAllocator> = {
    malloc: (size) => offheap_malloc(source, size),
    calloc: (count, size) => offheap_calloc(source, count, size),
    realloc: (address, size) => offheap_realloc(source, address, size),
    free: (address) => offheap_free(source, address),
    alignedAlloc: (alignment, size) => offheap_aligned_alloc(source, alignment, size),
    usableSize: (address) => offheap_usable_size(source, address),
  };
  return {
    raw,
    close() {
      for (const name of Object.keys(raw) as (keyof RawAllocator)[]) {
        raw[name] = () => {
          throw new ClosedError(`call ${name}`, "the allocator was closed");
        };
      }
    },
  };
}
