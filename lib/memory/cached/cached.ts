/**
 * The C functions through magazines.
 *
 * @module
 */
import { type Address, NULL } from "../../../ffi/types.ts";
import { ClosedError, OutOfMemoryError } from "../../errors.ts";
import type { CachedAllocator, CachedStatistics } from "../api/raw.ts";
import { Magazines } from "./magazines.ts";
import type { MemoryCalls } from "../shared/native.ts";
import { watch } from "../shared/reclaim.ts";
import { CLASS_CAPACITIES, CLASS_SIZES, classOf, MAX_CACHED } from "./size-classes.ts";
import {
  LEAST_ALIGNMENT,
  MAX_SIZE,
  requireAlignment,
  requireSize,
  requireWhole,
} from "../shared/sizes.ts";

/** What the hot path needs: constants of this module, for imported ones cost it time. */
const SMALL = 1024;
const ROUND = 15;
const QUANTUM_SHIFT = 4;
const ROW_SHIFT = 6;
const FULL = 63;

const ACTION = "allocate cached memory";
const REALLOC = "reallocate cached memory";

/** Magazines over a source. What is slow about them is in {@linkcode Magazines}. */
export class CachedMemory implements CachedAllocator {
  readonly #magazines: Magazines;
  readonly #counts: Int32Array<ArrayBuffer>;
  readonly #slots: Float64Array<ArrayBuffer>;
  readonly #calls: MemoryCalls;
  readonly #source: Address;
  #open = true;

  /** Opens magazines over a source. */
  constructor(calls: MemoryCalls, source: Address) {
    const magazines = new Magazines(calls, source);
    this.#magazines = magazines;
    this.#counts = magazines.counts;
    this.#slots = magazines.slots;
    this.#calls = calls;
    this.#source = source;
    watch(this, magazines);
  }

  malloc(size: number): Address {
    if (size <= SMALL && size >>> 0 === size) {
      const index = (size + ROUND) >>> QUANTUM_SHIFT;
      const count = this.#counts[index] as number;
      if (count > 0) {
        this.#counts[index] = count - 1;
        return this.#slots[(index << ROW_SHIFT) + count - 1] as Address;
      }
    }
    return this.#allocate(size);
  }

  free(address: Address, size: number): void {
    if (size <= SMALL && size >>> 0 === size && address !== NULL) {
      const index = (size + ROUND) >>> QUANTUM_SHIFT;
      const count = this.#counts[index] as number;
      if (count < FULL) {
        this.#slots[(index << ROW_SHIFT) + count] = address;
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
    if (address === NULL) throw new OutOfMemoryError("memory", bytes, LEAST_ALIGNMENT);
    return address;
  }

  realloc(address: Address, oldSize: number, size: number): Address {
    requireSize(REALLOC, oldSize);
    requireSize(REALLOC, size);
    if (address === NULL) return this.malloc(size);
    this.#requireOpen();
    if (oldSize > MAX_CACHED && size > MAX_CACHED) {
      const moved = this.#calls.offheap_realloc(this.#source, address, size);
      if (moved === NULL) throw new OutOfMemoryError("memory", size, LEAST_ALIGNMENT);
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
    this.#requireOpen();
    return this.#calls.offheap_usable_size(this.#source, address);
  }

  statistics(): CachedStatistics {
    const counts = this.#open ? [...this.#counts] : [];
    return {
      blocks: counts.reduce((sum, count) => sum + count, 0),
      bytes: counts.reduce((sum, count, index) => sum + count * (CLASS_SIZES[index] ?? 0), 0),
      refills: this.#magazines.refills,
      drains: this.#magazines.drains,
      live: null,
    };
  }

  /** Gives all that waits in the magazines back. */
  flush(): void {
    if (this.#open) this.#magazines.flush();
  }

  /** Gives all back, and refuses all from then on. */
  close(): void {
    this.#open = false;
    // It detaches the counts: `undefined` is neither above 0 nor below what is full, so that being
    // closed costs the hot path nothing.
    this.#magazines.close();
  }

  #requireOpen(): void {
    if (!this.#open) throw new ClosedError("use cached memory", "the allocator was closed");
  }

  /** A block of a class without blocks, of a class that is not small, or of none. */
  #allocate(size: number): Address {
    requireSize(ACTION, size);
    this.#requireOpen();
    if (size > MAX_CACHED) {
      const address = this.#calls.offheap_malloc(this.#source, size);
      if (address === NULL) throw new OutOfMemoryError("memory", size, LEAST_ALIGNMENT);
      return address;
    }
    const index = classOf(size);
    const count = this.#counts[index] || this.#magazines.refill(index);
    if (count === 0) throw new OutOfMemoryError("memory", size, LEAST_ALIGNMENT);
    this.#counts[index] = count - 1;
    return this.#slots[(index << ROW_SHIFT) + count - 1] as Address;
  }

  /** Gives a block back to a class that is full, to one that is not small, or to the allocator. */
  #release(address: Address, size: number): void {
    requireSize("free cached memory", size);
    this.#requireOpen();
    if (size > MAX_CACHED || address === NULL) {
      return this.#calls.offheap_free(this.#source, address);
    }
    const index = classOf(size);
    const full = this.#counts[index] === CLASS_CAPACITIES[index];
    const count = full ? this.#magazines.drain(index) : this.#counts[index] as number;
    this.#slots[(index << ROW_SHIFT) + count] = address;
    this.#counts[index] = count + 1;
  }
}

/** The bytes that are allocated for a size: those of its class, where it has one. */
function allocatedSize(size: number): number {
  return size > MAX_CACHED ? size : CLASS_SIZES[classOf(size)] as number;
}
