/**
 * Heaps: memory that the allocator itself keeps apart.
 *
 * @module
 */
import { type Address, NULL } from "../../../ffi/types.ts";
import { ClosedError } from "../../errors.ts";
import { type BlockAllocator, StoreAllocator } from "../blocks/block-allocator.ts";
import { Store } from "../blocks/store.ts";
import type { NativeHeaps } from "../../allocators/memory.ts";
import type { LeakReport } from "../leaks.ts";
import { INSPECT, summarize } from "../shared/inspection.ts";
import type { Owner, Owners } from "../shared/owners.ts";
import { unwatch } from "../shared/reclaim.ts";
import { NativeHeap } from "./native-heap.ts";

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
  /** Bytes of addresses reserved: mimalloc's reserved, jemalloc's mapped. */
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

/** A heap of an allocator. */
export class IsolatedHeap extends StoreAllocator implements Heap, Owner {
  readonly #native: NativeHeap;
  readonly #store: Store;
  readonly #owners: Owners;
  readonly #reference: WeakRef<Owner>;
  #open = true;

  /**
   * Makes a heap.
   *
   * @param trace The stack of who makes it, when that is recorded.
   */
  constructor(allocator: Store, owners: Owners, heaps: NativeHeaps, trace: string | null) {
    allocator.requireOpen("make a heap");
    const native = new NativeHeap(allocator, heaps, trace);
    const { source, account } = native;
    const own = { source, account, depositor: NULL, what: "this heap", keepsFreed: false };
    const store = new Store({ ...allocator.parts, ...own });
    super(store);
    this.#native = native;
    this.#store = store;
    store.keeper = this;
    this.#owners = owners;
    this.#reference = owners.add(this);
    // A block of it keeps the store, so that the heap goes after the last of them.
    native.liveAs(store);
  }

  statistics(): HeapStatistics {
    this.#requireOpen("read the statistics of a heap");
    const { heaps, number, source, account } = this.#native;
    return { ...heaps.counters(number, source), blocks: account.blocks };
  }

  destroy(): void {
    this.#requireOpen("destroy a heap");
    this.#owners.remove(this.#reference);
    this.end();
  }

  [Symbol.dispose](): void {
    if (this.#open) this.destroy();
  }

  [INSPECT](): string {
    const { blocks, bytes } = this.#native.account;
    return summarize("Heap", { blocks, bytes, state: this.#open ? "open" : "destroyed" });
  }

  contains(address: Address): boolean {
    return this.#store.find(address) !== null;
  }

  end(): LeakReport[] {
    if (!this.#open) return [];
    this.#open = false;
    const { tracker } = this.#store.parts;
    const report = tracker.describe(this.#native.leak, "closed");
    // What something else may be using stays allocated, and the heap with it.
    const elsewhere = this.#store.isElsewhere();
    this.#store.close(this.#native.heaps.wantEmpty);
    unwatch(this.#native);
    if (!elsewhere) this.#store.holds.whenOver(() => this.#native.destroy());
    return [report];
  }

  #requireOpen(action: string): void {
    if (!this.#open) throw new ClosedError(action, "it was destroyed, or its allocator was closed");
  }
}
