/**
 * Pools: blocks of one size, wrapped once and leased again and again.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import { BlockError, ClosedError, PoolExhaustedError } from "../../errors.ts";
import { ownOptions, requireSignal } from "../../options.ts";
import { claimBlock, NativeBlock } from "../blocks/block.ts";
import type { Collectable } from "../blocks/live.ts";
import type { Store } from "../blocks/store.ts";
import { type BlockHandle, claim, isWaiting, requireHandle } from "../blocks/transfer.ts";
import type { LeakReport } from "../leaks.ts";
import type { Callee } from "../stack.ts";
import { alignmentOption, flagOption, MAX_SIZE, requireWhole } from "../shared/arguments.ts";
import { INSPECT, summarize } from "../shared/inspection.ts";
import type { Owner, Owners } from "../shared/owners.ts";
import { BlockLease, type Lease } from "./lease.ts";
import { Waiters } from "./waiters.ts";

/**
 * What a pool keeps.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const pool = memory.pool({ blockSize: 4096, alignment: 4096, max: 8, strict: true, zeroed: true });
 * const lease = pool.acquire();
 * console.log(lease.address % 4096, lease.bytes[0]);
 * lease.release();
 * pool.close();
 * memory.close();
 * ```
 */
export interface PoolOptions {
  /** The size of each block in bytes; at least 1. */
  readonly blockSize: number;
  /** The alignment of each block, as in {@linkcode AllocateOptions}. */
  readonly alignment?: number | undefined;
  /** The maximum of blocks there may be at once; no limit without it. */
  readonly max?: number | undefined;
  /**
   * Detach a block's views when its lease is released, so that nothing can look into the next
   * lease's bytes. It costs wrapping the block again at the next lease. Without it a view that was
   * kept shows what the next lease writes.
   */
  readonly strict?: boolean | undefined;
  /** Fill a block with zeros at each lease. */
  readonly zeroed?: boolean | undefined;
}

/**
 * How to wait for a block.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const pool = memory.pool({ blockSize: 4096, max: 1 });
 * const lease = pool.acquire();
 * const controller = new AbortController();
 * const waiting = pool.wait({ signal: controller.signal });
 * controller.abort(new Error("too long"));
 * await waiting.catch((error: Error) => console.log(error.message));
 * lease.release();
 * memory.close();
 * ```
 */
export interface WaitOptions {
  /** Ends the waiting, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a pool holds. */
export interface PoolStatistics {
  /** The size of each block in bytes. */
  readonly blockSize: number;
  /** Blocks that are leased, in other threads too. */
  readonly leased: number;
  /** Those of them that were given to another thread and have not come back. */
  readonly away: number;
  /** Blocks that are kept for the next lease. */
  readonly idle: number;
  /** Callers that wait for a block. */
  readonly waiting: number;
  /** Leases there have ever been. */
  readonly leases: number;
  /** Leases for which a block was allocated. */
  readonly allocations: number;
}

/**
 * Blocks of one size that are wrapped once and used again and again. A lease that is dropped
 * without being released counts as a leak; its block is freed, and its place in the pool too.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const pool = memory.pool({ blockSize: 4096, max: 2 });
 * const first = pool.acquire();
 * const second = pool.acquire();
 * const third = pool.wait({ signal: AbortSignal.timeout(1000) });
 * first.release();
 * (await third).release();
 * second.release();
 * console.log(pool.statistics().idle, pool.trim());
 * pool.close();
 * memory.close();
 * ```
 */
export interface Pool extends Disposable {
  /**
   * A block, at once.
   *
   * @throws {PoolExhaustedError} when all of `max` blocks are leased.
   * @throws {OutOfMemoryError} when a block is needed that cannot be had.
   * @throws {ClosedError} after the pool or its allocator was closed.
   */
  acquire(): Lease;
  /**
   * A block as soon as there is one: whoever waits longest gets it first.
   *
   * @returns It is rejected as {@linkcode Pool.acquire} throws, but for exhaustion; with the
   * signal's reason when it is aborted; with a `TypeError` for bad options.
   */
  wait(options?: WaitOptions): Promise<Lease>;
  /**
   * Takes back a lease that was given to another thread, with what it was filled with there.
   *
   * @param handle What {@linkcode Block.transfer} gave there, or the lease's own.
   * @throws {BlockError} when it was claimed before, or is not of this pool: it can be claimed by
   * its allocator then.
   * @throws {TypeError} for what is not a handle.
   * @throws {ClosedError} after the pool or its allocator was closed.
   */
  claim(handle: BlockHandle): Lease;
  /**
   * Gives up on a lease that will not come back, as its thread has freed the block or has ended:
   * its place in the pool is free again. A block that nobody has claimed yet is freed.
   *
   * @param handle What the lease's `transfer()` gave.
   * @throws {BlockError} when this pool has not given it away, or it has come back.
   * @throws {TypeError} for what is not a handle.
   * @throws {ClosedError} after the pool or its allocator was closed.
   */
  writeOff(handle: BlockHandle): void;
  /**
   * Gives idle blocks back to the allocator.
   *
   * @param keep How many to keep; 0 without it.
   * @returns How many were given back.
   */
  trim(keep?: number): number;
  /** What the pool holds. */
  statistics(): PoolStatistics;
  /**
   * Frees all blocks, detaches the views of those that are leased, and refuses those that wait.
   *
   * @throws {ClosedError} when it was closed before.
   */
  close(): void;
  /** Closes the pool, unless that was done: `using` calls it. */
  [Symbol.dispose](): void;
}

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
  readonly #waiters = new Waiters();
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
    this.#alignment = alignmentOption(MAKE, alignment);
    this.#max = max ?? Infinity;
    this.#strict = flagOption(MAKE, "strict", strict);
    this.#zeroed = flagOption(MAKE, "zeroed", zeroed);
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
      requireSignal(WAIT, options, signal);
      signal?.throwIfAborted();
      const lease = this.#lease(this.wait);
      if (lease !== null) return resolve(lease);
      const trace = this.#store.parts.tracker.trace(this.wait);
      this.#waiters.add(trace, signal, resolve, reject);
    });
  }

  claim(given: BlockHandle): Lease {
    const action = "claim a lease";
    this.#requireOpen(action);
    const handle = requireHandle(action, given);
    // It is looked at before it is taken: what is not this pool's is left for its claimer.
    const { address, size } = claim(this.#store, handle, false);
    if (!this.#away.has(address) || size !== this.#blockSize) {
      throw new BlockError(
        "foreign",
        `Cannot ${action} of ${size} bytes: this pool has not given it away. Take it by ` +
          "the allocator's claim().",
      );
    }
    const arrival = { ...claim(this.#store, handle), kind: "pool block" } as const;
    const block = claimBlock(this.#store, arrival, this.#store.parts.tracker.trace(this.claim));
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
        `Cannot ${action}: this pool has not given it away, or it has come back.`,
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
    const own = this.#idle.splice(keep).filter((block) => this.#isOwn(block));
    for (const block of own) block.free();
    return own.length;
  }

  statistics(): PoolStatistics {
    return {
      blockSize: this.#blockSize,
      leased: this.#leased,
      away: this.#away.size,
      idle: this.#idle.length,
      waiting: this.#waiters.count,
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
    this.#waiters.refuseAll(new ClosedError(ACQUIRE, CLOSED));
    return [];
  }

  /** A lease gives its block back. */
  giveBack(block: NativeBlock): void {
    if (this.#strict) block.renew();
    else block.requireAttached("release");
    const { extra } = block.record;
    if (extra === null || !extra.holds.any) return this.#passOn(block);
    // The pool may have been closed when the call has ended.
    extra.holds.whenOver(() => {
      if (!block.live) return;
      if (this.#isOwn(block)) this.#passOn(block);
      else this.#placeIsFree();
    });
  }

  /** A block is for whoever waits, or for the next lease. */
  #passOn(block: NativeBlock): void {
    const next = this.#waiters.next();
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
    const next = this.#waiters.next();
    if (next === undefined) return;
    try {
      next.grant(this.#hand(this.#allocate(next.trace)));
      this.#leased++;
    } catch (error) {
      next.refuse(error);
      // With nothing leased, nobody would ever call the others.
      if (this.#leased === 0) this.#waiters.refuseAll(error);
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
    const lease = this.#hand(idle ?? this.#allocate(this.#store.parts.tracker.trace(method)));
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
}
