/**
 * The C functions through magazines.
 *
 * @module
 */
import { type Address, NULL } from "../../../ffi/types.ts";
import { ClosedError, OutOfMemoryError } from "../../errors.ts";
import { Magazines } from "../shared/magazines.ts";
import type { MemoryCalls } from "../../allocators/memory.ts";
import { watch } from "../shared/reclaim.ts";
import {
  CLASS_CAPACITIES,
  CLASS_SIZES,
  classOf,
  MAGAZINE_SLOTS,
  MAX_CACHED,
} from "./size-classes.ts";
import {
  MAX_SIZE,
  MIN_ALIGNMENT,
  requireAddress,
  requireAlignment,
  requireSize,
  requireWhole,
} from "../shared/arguments.ts";

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
 * given when it is freed.
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
   * @throws {RangeError} for what is not a size.
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
   * @throws {RangeError} for what is not a size.
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
  /** The usable size of a block in bytes. */
  usableSize(address: Address): number;
  /** What the magazines hold. */
  statistics(): CachedStatistics;
}

/** What the hot path needs: constants of this module, for imported ones cost it time. */
const SMALL = 1024;
const ROUND = 15;
const QUANTUM_SHIFT = 4;
const SLOTS_SHIFT = 6;
const FULL = 63;

const ACTION = "allocate cached memory";
const REALLOC = "reallocate cached memory";
const FREE = "free cached memory";

/** An allocator's magazines. What is slow about them is in {@linkcode Magazines}. */
export class CachedMemory implements CachedAllocator {
  readonly #magazines: Magazines;
  readonly #counts: Int32Array<ArrayBuffer>;
  readonly #slots: Float64Array<ArrayBuffer>;
  readonly #calls: MemoryCalls;
  readonly #source: Address;
  readonly #counters = { refills: 0, drains: 0 };
  #open = true;

  /** Opens magazines of a source. */
  constructor(calls: MemoryCalls, source: Address) {
    const magazines = new Magazines(calls, source, CLASS_SIZES.length, MAGAZINE_SLOTS);
    magazines.flushAtExit();
    this.#magazines = magazines;
    this.#counts = magazines.counts;
    this.#slots = magazines.slots;
    this.#calls = calls;
    this.#source = source;
    watch(this, magazines);
  }

  malloc(size: number): Address {
    if (typeof size === "number" && size <= SMALL && size >>> 0 === size) {
      const index = (size + ROUND) >>> QUANTUM_SHIFT;
      const count = this.#counts[index] as number;
      if (count > 0) {
        this.#counts[index] = count - 1;
        return this.#slots[(index << SLOTS_SHIFT) + count - 1] as Address;
      }
    }
    return this.#allocate(size);
  }

  free(address: Address, size: number): void {
    // NaN, into which a slot makes what is no address, is not above 0.
    if (typeof size === "number" && size <= SMALL && size >>> 0 === size && address > NULL) {
      const index = (size + ROUND) >>> QUANTUM_SHIFT;
      const count = this.#counts[index] as number;
      if (count < FULL) {
        this.#slots[(index << SLOTS_SHIFT) + count] = address;
        this.#counts[index] = count + 1;
        return;
      }
    }
    this.#release(address, size);
  }

  calloc(count: number, size: number): Address {
    requireWhole(ACTION, "the count", count, 0, MAX_SIZE);
    requireSize(ACTION, size);
    const bytes = count * size;
    requireSize(ACTION, bytes);
    if (bytes <= MAX_CACHED) {
      const address = this.malloc(bytes);
      this.#calls.offheap_fill(address, 0, bytes);
      return address;
    }
    this.#requireOpen();
    const address = this.#calls.offheap_calloc(this.#source, 1, bytes);
    if (address === NULL) throw new OutOfMemoryError("memory", bytes, MIN_ALIGNMENT);
    return address;
  }

  realloc(address: Address, oldSize: number, size: number): Address {
    requireSize(REALLOC, oldSize);
    requireSize(REALLOC, size);
    if (address === NULL) return this.malloc(size);
    requireAddress(REALLOC, address);
    this.#requireOpen();
    if (oldSize > MAX_CACHED && size > MAX_CACHED) {
      const moved = this.#calls.offheap_realloc(this.#source, address, size);
      if (moved === NULL) throw new OutOfMemoryError("memory", size, MIN_ALIGNMENT);
      return moved;
    }
    if (allocatedSize(oldSize) === allocatedSize(size)) return address;
    const moved = this.malloc(size);
    this.#calls.offheap_move(moved, address, Math.min(oldSize, size));
    this.free(address, oldSize);
    return moved;
  }

  alignedAlloc(alignment: number, size: number): Address {
    const action = "allocate aligned memory";
    requireAlignment(action, alignment);
    requireSize(action, size);
    this.#requireOpen();
    // As large as its class, since it may go into that class's magazine.
    const bytes = allocatedSize(size);
    const address = this.#calls.offheap_allocate(this.#source, bytes, alignment, 0);
    if (address === NULL) throw new OutOfMemoryError("memory", size, alignment);
    return address;
  }

  usableSize(address: Address): number {
    if (address !== NULL) requireAddress("measure cached memory", address);
    this.#requireOpen();
    return this.#calls.offheap_usable_size(this.#source, address);
  }

  statistics(): CachedStatistics {
    const counts = this.#open ? [...this.#counts] : [];
    return {
      blocks: counts.reduce((sum, count) => sum + count, 0),
      bytes: counts.reduce((sum, count, index) => sum + count * (CLASS_SIZES[index] ?? 0), 0),
      ...this.#counters,
      live: null,
    };
  }

  /** Frees the blocks that wait in the magazines. */
  flush(): void {
    if (this.#open) this.#magazines.flush();
  }

  /** Frees the magazines, too, and refuses all from then on. */
  close(): void {
    this.#open = false;
    // It detaches the counts: `undefined` is neither above 0 nor below what is full, so that being
    // closed costs the hot path nothing.
    this.#magazines.close();
  }

  /** Fills a class's empty magazine to half; how many blocks there are now. */
  #refill(index: number): number {
    this.#counters.refills++;
    const wanted = Math.ceil((CLASS_CAPACITIES[index] ?? 1) / 2);
    return this.#magazines.refill(index, wanted, CLASS_SIZES[index] ?? 0);
  }

  /** Frees the older half of a class's full magazine; how many blocks are left. */
  #drain(index: number): number {
    this.#counters.drains++;
    return this.#magazines.drain(index, Math.ceil((this.#counts[index] ?? 0) / 2));
  }

  #requireOpen(): void {
    if (!this.#open) throw new ClosedError("use cached memory", "the allocator was closed");
  }

  /** A block whose magazine is empty, of a class that is not small, or of no class. */
  #allocate(size: number): Address {
    requireSize(ACTION, size);
    this.#requireOpen();
    if (size > MAX_CACHED) {
      const address = this.#calls.offheap_malloc(this.#source, size);
      if (address === NULL) throw new OutOfMemoryError("memory", size, MIN_ALIGNMENT);
      return address;
    }
    const index = classOf(size);
    const count = this.#counts[index] || this.#refill(index);
    if (count === 0) throw new OutOfMemoryError("memory", size, MIN_ALIGNMENT);
    this.#counts[index] = count - 1;
    return this.#slots[(index << SLOTS_SHIFT) + count - 1] as Address;
  }

  /** Frees a block whose magazine is full, of a class that is not small, or of no class. */
  #release(address: Address, size: number): void {
    requireSize(FREE, size);
    if (address !== NULL) requireAddress(FREE, address);
    this.#requireOpen();
    if (size > MAX_CACHED || address === NULL) {
      return this.#calls.offheap_free(this.#source, address);
    }
    const index = classOf(size);
    const full = this.#counts[index] === CLASS_CAPACITIES[index];
    const count = full ? this.#drain(index) : this.#counts[index] as number;
    this.#slots[(index << SLOTS_SHIFT) + count] = address;
    this.#counts[index] = count + 1;
  }
}

/** The bytes that are allocated for a size: those of its class, where it has one. */
function allocatedSize(size: number): number {
  return size > MAX_CACHED ? size : CLASS_SIZES[classOf(size)] as number;
}
