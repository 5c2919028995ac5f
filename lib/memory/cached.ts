/**
 * The C functions through magazines.
 *
 * @module
 */
import { type Address, NULL } from "../../ffi/types.ts";
import { ClosedError, OutOfMemoryError } from "../errors.ts";
import type { CachedAllocator, CachedStatistics } from "./api/raw.ts";
import { closedCounts, Magazines } from "./magazines.ts";
import type { MemoryCalls } from "./native.ts";
import { watch } from "./reclaim.ts";
import {
  CAPACITY_SHIFT,
  CLASS_SIZES,
  classTable,
  MAX_CACHED,
  QUANTUM_SHIFT,
} from "./size-classes.ts";
import { LEAST_ALIGNMENT, MAX_SIZE, requireAlignment, requireSize, requireWhole } from "./sizes.ts";

const ROUND: number = (1 << QUANTUM_SHIFT) - 1;

let table: Uint8Array<ArrayBuffer> | undefined;

/** Magazines over a source. What is slow about them is in {@linkcode Magazines}. */
export class CachedMemory implements CachedAllocator {
  readonly #table: Uint8Array<ArrayBuffer>;
  readonly #magazines: Magazines;
  #counts: Int32Array<ArrayBuffer>;
  #capacities: Int32Array<ArrayBuffer>;
  #slots: Float64Array<ArrayBuffer>;
  readonly #calls: MemoryCalls;
  readonly #source: Address;
  #open = true;

  /** Opens magazines over a source. */
  constructor(calls: MemoryCalls, source: Address) {
    this.#table = table ??= classTable();
    const magazines = new Magazines(calls, source);
    this.#magazines = magazines;
    this.#counts = magazines.counts;
    this.#capacities = magazines.capacities;
    this.#slots = magazines.slots;
    this.#calls = calls;
    this.#source = source;
    watch(this, magazines);
  }

  malloc(size: number): Address {
    if (size <= MAX_CACHED && size >>> 0 === size) {
      const index = this.#table[(size + ROUND) >>> QUANTUM_SHIFT] as number;
      const count = this.#counts[index] as number;
      if (count > 0) {
        this.#counts[index] = count - 1;
        return this.#slots[(index << CAPACITY_SHIFT) + count - 1] as Address;
      }
      return this.#refill(index, size);
    }
    return this.#large(size);
  }

  free(address: Address, size: number): void {
    if (size <= MAX_CACHED && size >>> 0 === size && address !== NULL) {
      const index = this.#table[(size + ROUND) >>> QUANTUM_SHIFT] as number;
      const count = this.#counts[index] as number;
      if (count < (this.#capacities[index] as number)) {
        this.#slots[(index << CAPACITY_SHIFT) + count] = address;
        this.#counts[index] = count + 1;
        return;
      }
      return this.#drain(index, address);
    }
    this.#freeLarge(address, size);
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
    if (allocatedSize(this.#table, oldSize) === allocatedSize(this.#table, size)) return address;
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
    const bytes = allocatedSize(this.#table, size);
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
    this.#counts = closedCounts();
    this.#capacities = this.#counts;
    this.#magazines.close();
  }

  #requireOpen(): void {
    if (!this.#open) throw new ClosedError("use cached memory", "the allocator was closed");
  }

  #refill(index: number, size: number): Address {
    this.#requireOpen();
    const count = this.#magazines.refill(index);
    if (count === 0) throw new OutOfMemoryError("memory", size, LEAST_ALIGNMENT);
    this.#counts[index] = count - 1;
    return this.#slots[(index << CAPACITY_SHIFT) + count - 1] as Address;
  }

  #drain(index: number, address: Address): void {
    this.#requireOpen();
    const count = this.#magazines.drain(index);
    this.#slots[(index << CAPACITY_SHIFT) + count] = address;
    this.#counts[index] = count + 1;
  }

  #large(size: number): Address {
    requireSize(ACTION, size);
    this.#requireOpen();
    const address = this.#calls.offheap_malloc(this.#source, size);
    if (address === NULL) throw new OutOfMemoryError("memory", size, LEAST_ALIGNMENT);
    return address;
  }

  #freeLarge(address: Address, size: number): void {
    requireSize("free cached memory", size);
    this.#requireOpen();
    this.#calls.offheap_free(this.#source, address);
  }
}

const ACTION = "allocate cached memory";
const REALLOC = "reallocate cached memory";

/** The bytes that are allocated for a size: those of its class, where it has one. */
function allocatedSize(classes: Uint8Array, size: number): number {
  if (size > MAX_CACHED) return size;
  return CLASS_SIZES[classes[(size + ROUND) >>> QUANTUM_SHIFT] ?? 0] ?? size;
}
