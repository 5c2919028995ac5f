/**
 * What differs between the allocators, behind one contract.
 *
 * @module
 */
import type { MEMORY_SYMBOLS } from "../../ffi/symbols/shim.ts";
import type { Address, Calls } from "../../ffi/types.ts";

/** The shim's memory functions. */
export type MemoryCalls = Calls<typeof MEMORY_SYMBOLS>;

/** What a heap's own counters say, in bytes. */
export interface HeapCounters {
  /** In blocks, by their size classes. */
  readonly allocated: number;
  /** Held from the system. */
  readonly resident: number;
  /** Addresses set aside. */
  readonly mapped: number;
}

/** One heap, as the allocator numbers it: an arena's number, or the address of a `mi_heap_t`. */
export interface NativeHeaps {
  /** The most there may be at a time. */
  readonly most: number;
  /** Makes one for an allocator's source; `null` when there is no memory or no number for it. */
  create(source: Address): number | null;
  /** Gives all of its memory back. */
  destroy(heap: number, source: Address): void;
  /** Whether its blocks have to be freed before. */
  readonly wantEmpty: boolean;
  /** What it holds, by its own source. */
  counters(heap: number, source: Address): HeapCounters;
}

/** An allocator's functions that are not called often. */
export interface AllocatorKind {
  /** Its kind in the shim: `enum kind` in memory.h. */
  readonly number: 1 | 2 | 3;
  /** The bytes that a size would have set aside. */
  goodSize(size: number): number;
  /** Whether an address is in memory that it gave out. */
  owns(address: Address): boolean;
  /** Whether {@linkcode AllocatorKind.owns} can be asked. */
  readonly knowsOwn: boolean;
  /** Gives what it caches back to the system. */
  collect(): void;
  /** Its heaps. */
  readonly heaps: NativeHeaps;
}
