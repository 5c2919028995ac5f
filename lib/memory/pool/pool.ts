/**
 * Pools: blocks of one size, wrapped once and leased again and again.
 *
 * @module
 */
import { inspect } from "node:util";
import type { Address } from "../../../ffi/types.ts";
import { BlockError, ClosedError, PoolExhaustedError } from "../../errors.ts";
import { ownOptions } from "../../options.ts";
import type { BlockHandle } from "../api/block.ts";
import type { LeakReport } from "../api/leaks.ts";
import type { Lease, Pool, PoolOptions, PoolStatistics, WaitOptions } from "../api/pool.ts";
import { alignmentOf, flagOf } from "../blocks/allocate-options.ts";
import { claimBlock, NativeBlock } from "../blocks/block.ts";
import { INSPECT, summarize } from "../shared/inspection.ts";
import type { Callee } from "../leaks.ts";
import { BlockLease } from "./lease.ts";
import type { Collectable } from "../blocks/live.ts";
import type { Owner, Owners } from "../shared/owners.ts";
import { MAX_SIZE, requireWhole } from "../shared/sizes.ts";
import type { Store } from "../blocks/store.ts";
import { claim, isWaiting, requireHandle } from "../blocks/transfer.ts";

const MAKE = "make a pool";
const ACQUIRE = "acquire a block";
const WAIT = "wait for a block";
const CLOSED = "the pool or its allocator was closed";
const OPTION_NAMES: readonly (keyof PoolOptions)[] = [
  "blockSize",
  "alignment",
  "max",
  "strict",
  "zeroed",
];
const WAIT_OPTIONS: readonly (keyof WaitOptions)[] = ["signal"];

/** A caller that waits for a block. */
interface Waiter {
  /** Its stack, when that is recorded. */
  readonly trace: string | null;
  readonly grant: (lease: Lease) => void;
  readonly refuse: (error: unknown) => void;
}

/** A pool of an allocator. */
export class BlockPool implements Pool, Owner, Collectable {
  readonly #store: Store;
  readonly #owners: Owners;
  readonly #reference: WeakRef<BlockPool>;
  readonly #blockSize: number;
  readonly #alignment: number;
  readonly #max: number;
  readonly #strict: boolean;
  readonly #zeroed: boolean;
  readonly #idle: NativeBlock[] = [];
  readonly #waiting = new Set<Waiter>();
  /** Where the blocks are that other threads have, and the tickets that they went by. */
  readonly #away = new Map<Address, number>();
  #leased = 0;
  #leases = 0;
  #allocations = 0;
  #open = true;

  /** A pool without blocks yet. */
  constructor(store: Store, owners: Owners, options: PoolOptions) {
    const own = ownOptions(MAKE, options, OPTION_NAMES);
    const { blockSize, alignment, max, strict, zeroed } = own;
    requireWhole(MAKE, "the block size", blockSize, 1, MAX_SIZE);
    if (max !== undefined) requireWhole(MAKE, "max", max, 1, Number.MAX_SAFE_INTEGER);
    store.requireOpen(MAKE);
    this.#store = store;
    this.#owners = owners;
    this.#blockSize = blockSize;
    this.#alignment = alignmentOf(MAKE, alignment);
    this.#max = max ?? Infinity;
    this.#strict = flagOf(MAKE, "strict", strict);
    this.#zeroed = flagOf(MAKE, "zeroed", zeroed);
    this.#reference = owners.add(this);
  }

  acquire(): Lease {
    const lease = this.#lease(this.acquire);
    if (lease === null) throw new PoolExhaustedError(this.#max);
    return lease;
  }

  wait(options: WaitOptions = {}): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const { signal } = ownOptions(WAIT, options, WAIT_OPTIONS);
      if (signal !== undefined && !(signal instanceof AbortSignal)) {
        throw new TypeError(
          `Cannot ${WAIT}: the signal must be an AbortSignal; got ${inspect(signal)}`,
        );
      }
      signal?.throwIfAborted();
      const lease = this.#lease(this.wait);
      if (lease !== null) return resolve(lease);
      const abort = (): void => {
        this.#waiting.delete(waiter);
        reject(signal?.reason);
      };
      const waiter = {
        trace: this.#store.tracker.trace(this.wait),
        grant(lease: Lease): void {
          signal?.removeEventListener("abort", abort);
          resolve(lease);
        },
        refuse(error: unknown): void {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  claim(handle: BlockHandle): Lease {
    const action = "claim a lease";
    this.#requireOpen(action);
    // It is looked at before it is taken: what is not this pool's is left for its claimer.
    const { address, size } = claim(this.#store, handle, false);
    if (!this.#away.has(address) || size !== this.#blockSize) {
      throw new BlockError(
        "foreign",
        `Cannot ${action} of ${size} bytes: it is none that this pool has given away. Take it by ` +
          "the allocator's claim().",
      );
    }
    const arrival = { ...claim(this.#store, handle), kind: "pool block" } as const;
    const block = claimBlock(this.#store, arrival, this.#store.tracker.trace(this.claim));
    this.#away.delete(address);
    block.record.onCollected = this.#reference;
    return new BlockLease(this, block);
  }

  writeOff(handle: BlockHandle): void {
    const action = "write a lease off";
    this.#requireOpen(action);
    const ticket = requireHandle(action, handle).ticket;
    const [address] = [...this.#away].find(([, sent]) => sent === ticket) ?? [];
    if (address === undefined) {
      throw new BlockError(
        "foreign",
        `Cannot ${action}: it is none that this pool has given away, or it has come back.`,
      );
    }
    this.#away.delete(address);
    if (isWaiting(this.#store, handle)) {
      claimBlock(this.#store, claim(this.#store, handle), null).free();
    }
    this.#placeIsFree();
  }

  trim(keep = 0): number {
    requireWhole("trim a pool", "the number to keep", keep, 0, Number.MAX_SAFE_INTEGER);
    this.#requireOpen("trim a pool");
    return this.#idle.splice(keep).filter((block) => this.#isOwn(block)).map((block) =>
      block.free()
    )
      .length;
  }

  statistics(): PoolStatistics {
    return {
      blockSize: this.#blockSize,
      leased: this.#leased,
      away: this.#away.size,
      idle: this.#idle.length,
      waiting: this.#waiting.size,
      leases: this.#leases,
      allocations: this.#allocations,
    };
  }

  close(): void {
    this.#requireOpen("close a pool");
    this.#owners.remove(this.#reference);
    this.end();
    this.#store.freeAll((live) => live.onCollected === this.#reference);
  }

  [Symbol.dispose](): void {
    if (this.#open) this.close();
  }

  [INSPECT](): string {
    const { blockSize, leased, idle, away, waiting } = this.statistics();
    const state = this.#open ? "open" : "closed";
    return summarize("Pool", { blockSize, leased, idle, away, waiting, state });
  }

  /** Its blocks are in the allocator's own list. */
  contains(): boolean {
    return false;
  }

  end(): LeakReport[] {
    this.#open = false;
    for (const block of this.#idle.splice(0)) if (block.attached) block.free();
    this.#leased = 0;
    this.#away.clear();
    for (const { refuse } of this.#takeWaiting()) refuse(new ClosedError(ACQUIRE, CLOSED));
    return [];
  }

  /** A lease gives its block back. */
  giveBack(block: NativeBlock): void {
    if (this.#strict) block.renew();
    else block.requireAttached("release");
    const { extra } = block.record;
    if (extra === null || !extra.holds.any) return this.#passOn(block);
    // The pool may have been closed when the call has ended.
    extra.holds.whenOver(() => block.live && this.#passOn(block));
  }

  /** A block is for whoever waits, or for the next lease. */
  #passOn(block: NativeBlock): void {
    const next = this.#nextWaiter();
    if (next !== undefined) return next.grant(this.#hand(block));
    this.#leased--;
    this.#idle.push(block);
  }

  /** A lease goes to another thread, and keeps its place meanwhile. */
  send(block: NativeBlock): BlockHandle {
    const { address } = block;
    const handle = block.transfer();
    if (this.#open) this.#away.set(address, handle.ticket);
    return handle;
  }

  collected(): void {
    if (this.#open) this.#placeIsFree();
  }

  /** A block will not come back: whoever waits gets another. */
  #placeIsFree(): void {
    this.#leased--;
    const next = this.#nextWaiter();
    if (next === undefined) return;
    try {
      next.grant(this.#hand(this.#allocate(next.trace)));
      this.#leased++;
    } catch (error) {
      next.refuse(error);
      // With nothing leased, nobody would ever call the others.
      if (this.#leased === 0) { for (const { refuse } of this.#takeWaiting()) refuse(error); }
    }
  }

  /** Whether an idle block can be used; one whose buffer something else has is given up. */
  #isOwn(block: NativeBlock): boolean {
    if (!block.attached) this.#store.abandon(block.record);
    return block.attached;
  }

  #requireOpen(action: string): void {
    if (!this.#open) throw new ClosedError(action, CLOSED);
  }

  /** A lease at once, for a method of the user's; `null` when all blocks are leased. */
  #lease(method: Callee): Lease | null {
    if (!this.#open) throw new ClosedError(ACQUIRE, CLOSED);
    let idle = this.#idle.pop();
    // A view that was kept may have taken the buffer elsewhere meanwhile: that block is lost.
    while (idle !== undefined && !this.#isOwn(idle)) idle = this.#idle.pop();
    if (idle === undefined && this.#leased >= this.#max) return null;
    const lease = this.#hand(idle ?? this.#allocate(this.#store.tracker.trace(method)));
    this.#leased++;
    return lease;
  }

  #allocate(trace: string | null): NativeBlock {
    const store = this.#store;
    const size = this.#blockSize;
    const block = new NativeBlock(
      store,
      ...store.allocate(size, this.#alignment, false, "pool block", trace),
    );
    block.record.onCollected = this.#reference;
    this.#allocations++;
    return block;
  }

  #hand(block: NativeBlock): Lease {
    if (this.#zeroed) block.bytes.fill(0);
    this.#leases++;
    return new BlockLease(this, block);
  }

  /** Whoever has waited longest, taken out of the line. */
  #nextWaiter(): Waiter | undefined {
    if (this.#waiting.size === 0) return undefined;
    const [first] = this.#waiting;
    if (first !== undefined) this.#waiting.delete(first);
    return first;
  }

  #takeWaiting(): Waiter[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }
}
