/**
 * What a heap offers.
 *
 * @module
 */
import type { BlockAllocator } from "./block-allocator.ts";

/**
 * What a heap holds, as the allocator itself counts it.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const heap = memory.heap();
 * heap.allocate(1000);
 * const { allocated, resident, mapped, blocks } = heap.statistics();
 * console.log(blocks, allocated >= 1000, resident >= allocated, mapped >= allocated);
 * heap.destroy();
 * memory.close();
 * ```
 */
export interface HeapStatistics {
  /** Bytes in blocks, rounded up to their size classes. */
  readonly allocated: number;
  /** Bytes of memory that the heap holds from the system: mimalloc's committed, jemalloc's resident. */
  readonly resident: number;
  /** Bytes of addresses set aside: mimalloc's reserved, jemalloc's mapped. */
  readonly mapped: number;
  /** Blocks that are in use, as offheap counts them. */
  readonly blocks: number;
}

/**
 * Memory apart from all other: a heap of mimalloc's, or an arena of jemalloc's own. Its blocks
 * share no page with others, it has statistics of its own, and it is destroyed as a whole, whatever
 * is still in it. It belongs to the JavaScript thread that made it; the system's allocator has none.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const heap = memory.heap();
 * const block = heap.allocate(1000);
 * console.log(heap.statistics().allocated >= 1000);
 * heap.destroy();
 * console.log(block.bytes.length, block.live);
 * memory.close();
 * ```
 */
export interface Heap extends BlockAllocator, Disposable {
  /**
   * What the heap holds.
   *
   * @throws {ClosedError} after the heap was destroyed.
   */
  statistics(): HeapStatistics;
  /**
   * Gives all of the heap's memory back at once; every view of its blocks is detached.
   *
   * @throws {ClosedError} when it was destroyed before.
   */
  destroy(): void;
  /** Destroys the heap, unless that was done: `using` calls it. */
  [Symbol.dispose](): void;
}
