/**
 * Heaps: memory that the allocator itself keeps apart.
 *
 * @module
 */
import { foreign } from "../../../ffi/mod.ts";
import { type Address, NULL } from "../../../ffi/types.ts";
import { ClosedError, OutOfMemoryError } from "../../errors.ts";
import type { Heap, HeapStatistics } from "../api/heap.ts";
import type { LeakReport } from "../api/leaks.ts";
import { INSPECT, summarize } from "../shared/inspection.ts";
import type { NativeHeaps } from "../kinds/types.ts";
import type { Leak } from "../leaks.ts";
import type { Owner, Owners } from "../shared/owners.ts";
import { type Reclaimable, unwatch, watch } from "../shared/reclaim.ts";
import { StoreBlocks } from "../blocks/store-blocks.ts";
import type { Account } from "../shared/account.ts";
import { Store } from "../blocks/store.ts";

/** jemalloc has numbers for 4,095 arenas (`MALLOCX_ARENA_LIMIT`), and does not say which it lacks. */
function noHeap(): OutOfMemoryError {
  const request = "make a heap (jemalloc has at most 4,095 at once; destroy what is not needed)";
  return new OutOfMemoryError("a heap", 0, 1, request);
}

/** The heaps of this thread, and what each lives as long as. */
const open = new Map<NativeHeap, WeakRef<Store>>();

/** Destroys the heaps that were dropped and whose finalizers have not run yet. */
function reclaimDropped(): void {
  foreign().collectGarbage();
  for (const [heap, store] of [...open]) {
    if (store.deref() !== undefined) continue;
    unwatch(heap);
    heap.reclaim();
  }
}

/** How many heaps are made between two collections that are asked for. */
const COLLECT_EVERY = 512;
let made = 0;

/**
 * Has dropped heaps found long before the last number is taken: a heap with blocks goes in two
 * steps, each of which takes a collection and a turn of the event loop.
 */
function collectInTime({ most }: NativeHeaps): void {
  if (open.size < most / 4) return;
  made = (made + 1) % COLLECT_EVERY;
  if (made === 1) foreign().collectGarbage();
}

/** A heap; when none can be had, those that were dropped are looked for first. */
function createHeap(heaps: NativeHeaps, source: Address): number {
  collectInTime(heaps);
  const number = heaps.create(source);
  if (number !== null) return number;
  reclaimDropped();
  const again = heaps.create(source);
  if (again === null) throw noHeap();
  return again;
}

/** The native side of a heap, without the JavaScript side that may be collected. */
class NativeHeap implements Reclaimable {
  readonly heaps: NativeHeaps;
  /** As the allocator numbers it. */
  readonly number: number;
  /** The part of the account that is this heap's. */
  readonly account: Account;
  readonly #allocator: Store;
  readonly #trace: string | null;
  /** Its source in the shim. */
  readonly source;

  constructor(allocator: Store, heaps: NativeHeaps, trace: string | null) {
    const { calls } = allocator;
    const number = createHeap(heaps, allocator.source);
    const source = calls.offheap_heap_open(allocator.source, number);
    if (source === NULL) {
      heaps.destroy(number, allocator.source);
      throw noHeap();
    }
    this.heaps = heaps;
    this.number = number;
    this.source = source;
    this.account = new SharedAccount(allocator.account);
    this.#allocator = allocator;
    this.#trace = trace;
  }

  /** What a report says of it. */
  get leak(): Leak {
    return { kind: "heap", size: this.account.bytes, trace: this.#trace };
  }

  destroy(): void {
    open.delete(this);
    this.heaps.destroy(this.number, this.#allocator.source);
    this.#allocator.calls.offheap_heap_close(this.source);
  }

  /** Neither the heap nor a block of it can be reached any more. */
  reclaim(): void {
    const { leak } = this;
    this.destroy();
    this.#allocator.tracker.collected(leak);
  }
}

/** A heap's account: what is in it counts for its allocator as well. */
class SharedAccount implements Account {
  readonly #whole: Account;
  #blocks = 0;
  #bytes = 0;
  #allocations = 0;
  peakBytes = 0;

  constructor(whole: Account) {
    this.#whole = whole;
  }

  get blocks(): number {
    return this.#blocks;
  }

  set blocks(value: number) {
    this.#whole.blocks += value - this.#blocks;
    this.#blocks = value;
  }

  get bytes(): number {
    return this.#bytes;
  }

  set bytes(value: number) {
    this.#whole.bytes += value - this.#bytes;
    this.#whole.peakBytes = Math.max(this.#whole.peakBytes, this.#whole.bytes);
    this.#bytes = value;
  }

  get allocations(): number {
    return this.#allocations;
  }

  set allocations(value: number) {
    this.#whole.allocations += value - this.#allocations;
    this.#allocations = value;
  }
}

/** A heap of an allocator. */
export class IsolatedHeap extends StoreBlocks implements Heap, Owner {
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
  constructor(
    allocator: Store,
    owners: Owners,
    heaps: NativeHeaps,
    trace: string | null,
    makeRoom: () => void,
  ) {
    allocator.requireOpen("make a heap");
    const native = new NativeHeap(allocator, heaps, trace);
    const { calls, tracker } = allocator;
    const { source, account } = native;
    const what = "this heap";
    const store = new Store({
      calls,
      source,
      tracker,
      account,
      what,
      whole: false,
      keepsIdle: false,
      makeRoom,
    });
    super(store);
    this.#native = native;
    this.#store = store;
    store.keeper = this;
    this.#owners = owners;
    this.#reference = owners.add(this);
    // A block of it keeps the store, so that the heap goes after the last of them.
    watch(this.#store, native);
    open.set(native, new WeakRef(store));
  }

  statistics(): HeapStatistics {
    this.#requireOpen("read the statistics of a heap");
    const { heaps, number, account } = this.#native;
    return { ...heaps.counters(number), blocks: account.blocks };
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
    const { tracker } = this.#store;
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
