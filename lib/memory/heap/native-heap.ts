/**
 * The native side of heaps: what is left of one whose JavaScript side was collected.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { type Address, NULL } from "../../../ffi/types.ts";
import { OutOfMemoryError } from "../../errors.ts";
import type { Store } from "../blocks/store.ts";
import type { NativeHeaps } from "../../allocators/memory.ts";
import type { Leak } from "../leaks.ts";
import { HeapAccount } from "../shared/account.ts";
import { type Reclaimable, unwatch, watch } from "../shared/reclaim.ts";

/** An allocator does not say whether it lacks memory or a number for one more heap. */
function noHeap({ most }: NativeHeaps): OutOfMemoryError {
  const limit = Number.isFinite(most)
    ? ` (there may be at most ${most} at once; destroy what is not needed)`
    : "";
  const request = `make a heap${limit}`;
  return new OutOfMemoryError("a heap", 0, 1, request);
}

/** The heaps of this thread, and what each lives as long as. */
const open = new Map<NativeHeap, WeakRef<Store>>();

/** Destroys the heaps that were dropped and whose finalizers have not run yet. */
function reclaimDropped(): void {
  ffi().collectGarbage();
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
  if (made === 1) ffi().collectGarbage();
}

/** A heap; when none can be had, those that were dropped are looked for first. */
function createHeap(heaps: NativeHeaps, source: Address): number {
  collectInTime(heaps);
  const number = heaps.create(source);
  if (number !== null) return number;
  reclaimDropped();
  const again = heaps.create(source);
  if (again === null) throw noHeap(heaps);
  return again;
}

/** A heap, without the JavaScript side that may be collected. */
export class NativeHeap implements Reclaimable {
  readonly heaps: NativeHeaps;
  /** As the allocator numbers it. */
  readonly number: number;
  /** The part of the allocator's account that is this heap's. */
  readonly account: HeapAccount;
  /** Its source in the shim. */
  readonly source: Address;
  readonly #allocator: Store;
  readonly #trace: string | null;

  /**
   * Makes a heap.
   *
   * @param trace The stack of who makes it, when that is recorded.
   * @throws {OutOfMemoryError} when none can be made.
   */
  constructor(allocator: Store, heaps: NativeHeaps, trace: string | null) {
    const { calls, source: parent, account } = allocator.parts;
    const number = createHeap(heaps, parent);
    const source = calls.offheap_heap_open(parent, number);
    if (source === NULL) {
      heaps.destroy(number, parent);
      throw noHeap(heaps);
    }
    this.heaps = heaps;
    this.number = number;
    this.source = source;
    this.account = new HeapAccount(account);
    this.#allocator = allocator;
    this.#trace = trace;
  }

  /** What a report says of it. */
  get leak(): Leak {
    return { kind: "heap", size: this.account.bytes, trace: this.#trace };
  }

  /** Has it destroyed when its store is collected: with the last of its blocks. */
  liveAs(store: Store): void {
    watch(store, this);
    open.set(this, new WeakRef(store));
  }

  /** Gives its memory back. */
  destroy(): void {
    const { calls, source } = this.#allocator.parts;
    open.delete(this);
    this.heaps.destroy(this.number, source);
    calls.offheap_heap_close(this.source);
  }

  /** Neither the heap nor a block of it can be reached any more. */
  reclaim(): void {
    const { leak } = this;
    this.destroy();
    this.#allocator.parts.tracker.collected(leak);
  }
}
