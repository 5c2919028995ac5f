/**
 * Allocators: one native source, and all that is made of it.
 *
 * @module
 */
import { isMainThread } from "node:worker_threads";
import { type Address, NULL } from "../../ffi/types.ts";
import { BlockError } from "../errors.ts";
import { ownOptions } from "../options.ts";
import type { AllocatorName } from "../allocators/policy.ts";
import type { Evidence, LibraryReport } from "../verify/types.ts";
import type { AdoptOptions, Allocator, AllocatorStatistics } from "./api/allocator.ts";
import { flagOf } from "./blocks/allocate-options.ts";
import type { Arena, ArenaOptions } from "./api/arena.ts";
import type { Block, BlockHandle } from "./api/block.ts";
import type { NativeFunctions } from "./api/functions.ts";
import type { Heap } from "./api/heap.ts";
import type { LeakReport } from "./api/leaks.ts";
import type { Pool, PoolOptions } from "./api/pool.ts";
import type { CachedAllocator, RawAllocator } from "./api/raw.ts";
import { AllocatorAccount } from "./shared/account.ts";
import { BumpArena } from "./arena/arena.ts";
import { claimBlock, NativeBlock, ownBlock } from "./blocks/block.ts";
import { CachedMemory } from "./cached/cached.ts";
import { CheckedMemory } from "./cached/checked.ts";
import { readFunctions } from "./functions.ts";
import { IsolatedHeap } from "./heap/heap.ts";
import { INSPECT, summarize } from "./shared/inspection.ts";
import type { AllocatorKind } from "./kinds/types.ts";
import type { LeakTracker } from "./leaks.ts";
import type { MemoryCalls } from "./shared/native.ts";
import { Owners } from "./shared/owners.ts";
import { BlockPool } from "./pool/pool.ts";
import { openRaw, type RawFunctions } from "./raw.ts";
import { register, type Registered, unregister } from "./shared/registry.ts";
import { LEAST_ALIGNMENT, requireAddress, requireSize, requireWhole } from "./shared/sizes.ts";
import { StoreBlocks } from "./blocks/store-blocks.ts";
import { Store } from "./blocks/store.ts";
import { claim, unclaimedSizes } from "./blocks/transfer.ts";
import { answersOf, hexadecimal, requireUnused } from "./shared/users.ts";

const ADOPT_OPTIONS: readonly (keyof AdoptOptions)[] = ["free", "managed"];

/** What was proven of an allocator, and how it is reached. */
export interface AllocatorParts {
  /** Which one. */
  readonly name: AllocatorName;
  /** Its version. */
  readonly version: string | null;
  /** The evidence. */
  readonly evidence: readonly Evidence[];
  /** Its library. */
  readonly library: LibraryReport | null;
  /** The shim's functions. */
  readonly calls: MemoryCalls;
  /** Its source in the shim. */
  readonly source: Address;
  /** Its own functions. */
  readonly kind: AllocatorKind;
  /** Tells of leaks. */
  readonly tracker: LeakTracker;
  /** Whether a few freed blocks are kept for the next ones. */
  readonly keepsIdle: boolean;
  /** Whether cached memory is checked. */
  readonly debug: boolean;
}

/** An allocator that was proven. */
export class NativeAllocator extends StoreBlocks implements Allocator {
  readonly name: AllocatorName;
  readonly version: string | null;
  readonly verified = true;
  readonly evidence: readonly Evidence[];
  readonly library: LibraryReport | null;
  readonly #parts: AllocatorParts;
  readonly #account: AllocatorAccount;
  readonly #store: Store;
  readonly #owners = new Owners();
  readonly #raw: RawFunctions;
  readonly #reference: WeakRef<Registered>;
  #cached: CachedMemory | CheckedMemory | null = null;
  #functions: NativeFunctions | null = null;
  #open = true;

  /** Makes the allocator of a source. */
  constructor(parts: AllocatorParts) {
    const { name, version, evidence, library, calls, source, tracker, keepsIdle } = parts;
    const account = new AllocatorAccount(calls, source);
    const store = new Store({
      calls,
      source,
      tracker,
      account,
      depositor: account.address,
      what: `this ${name} allocator`,
      whole: true,
      keepsIdle,
      makeRoom: () => this.#makeRoom(),
    });
    super(store);
    this.name = name;
    this.version = version;
    this.evidence = evidence;
    this.library = library;
    this.#parts = parts;
    this.#account = account;
    this.#store = store;
    this.#raw = openRaw(calls, source);
    const answers = answersOf(store, this.#owners);
    store.keeper = answers;
    this.#reference = register(answers);
  }

  get raw(): RawAllocator {
    return this.#raw.raw;
  }

  get cached(): CachedAllocator {
    return this.#cached ?? this.#openCached();
  }

  get functions(): NativeFunctions {
    const { calls, source } = this.#parts;
    return this.#functions ??= readFunctions(calls, source);
  }

  adopt(address: Address, size: number, options: AdoptOptions = {}): Block {
    const action = "adopt a block";
    requireAddress(action, address);
    requireSize(action, size);
    const own = ownOptions(action, options, ADOPT_OPTIONS);
    const managed = flagOf(action, "managed", own.managed);
    const { free = NULL } = own;
    if (own.free !== undefined) requireAddress(action, free, "the free function");
    this.#store.requireOpen(action);
    if (free === NULL) this.#requireOwn(action, address);
    requireUnused(action, address, this.#parts.calls);
    if (free === NULL) {
      requireWhole(action, "the size", size, 0, this.#raw.raw.usableSize(address));
    }
    const alignment = free === NULL ? LEAST_ALIGNMENT : 1;
    const arrival = { address, size, alignment, free, managed, kind: "block" } as const;
    const trace = managed ? null : this.#store.tracker.trace(this.adopt);
    return new NativeBlock(this.#store, ...this.#store.adopt(arrival, trace));
  }

  claim(handle: BlockHandle): Block {
    this.#store.requireOpen("claim a block");
    const arrival = claim(this.#store, handle);
    return claimBlock(this.#store, arrival, this.#store.tracker.trace(this.claim));
  }

  usableSize(block: Block): number {
    return ownBlock(this.#store, "measure a block", block).usableSize;
  }

  goodSize(size: number): number {
    requireSize("tell a good size", size);
    return this.#parts.kind.goodSize(Math.max(size, LEAST_ALIGNMENT));
  }

  owns(address: Address): boolean {
    const action = "ask for the owner of an address";
    requireWhole(action, "the address", address, 0, Number.MAX_SAFE_INTEGER);
    this.#store.requireOpen(action);
    return this.#parts.kind.owns(address);
  }

  collect(): void {
    this.#store.requireOpen("collect");
    this.#makeRoom();
  }

  arena(options?: ArenaOptions): Arena {
    return new BumpArena(
      this.#store,
      this.#owners,
      this.#store.tracker.trace(this.arena),
      options,
    );
  }

  heap(): Heap {
    return new IsolatedHeap(
      this.#store,
      this.#owners,
      this.#parts.kind.heaps,
      this.#store.tracker.trace(this.heap),
      () => this.#makeRoom(),
    );
  }

  pool(options: PoolOptions): Pool {
    return new BlockPool(this.#store, this.#owners, options);
  }

  statistics(): AllocatorStatistics {
    const { calls, source, tracker } = this.#parts;
    const { blocks, bytes, peakBytes, allocations } = this.#account;
    const lost = new Float64Array(2);
    calls.offheap_account_lost(source, lost);
    const [lostBlocks = 0, lostBytes = 0] = lost;
    return {
      blocks,
      bytes,
      peakBytes,
      allocations,
      leaks: tracker.count,
      unclaimed: calls.offheap_ticket_count(source),
      lostBlocks,
      lostBytes,
    };
  }

  close(): readonly LeakReport[] {
    this.#store.requireOpen("close an allocator");
    this.#open = false;
    const open = [...this.#owners.end(), ...this.#store.close(true)];
    unregister(this.#reference);
    this.#cached?.close();
    this.#raw.close();
    // A worker may end when it has given its result away: there, who will claim it is not late.
    const unclaimed = isMainThread ? unclaimedSizes(this.#store) : [];
    this.#account.close();
    this.#parts.tracker.closed(open);
    return [...open, ...this.#parts.tracker.unclaimed(unclaimed)];
  }

  [Symbol.dispose](): void {
    if (this.#open) this.close();
  }

  [INSPECT](): string {
    const { name, version } = this;
    const { blocks, bytes } = this.#account;
    const state = this.#open ? "open" : "closed";
    return summarize("Allocator", { name, version: version ?? undefined, blocks, bytes, state });
  }

  #openCached(): CachedAllocator {
    this.#store.requireOpen("open cached memory");
    const { calls, source, debug } = this.#parts;
    const cached = new CachedMemory(calls, source);
    this.#cached = debug ? new CheckedMemory(cached) : cached;
    return this.#cached;
  }

  #makeRoom(): void {
    this.#store.flush();
    this.#cached?.flush();
    this.#parts.kind.collect();
  }

  #requireOwn(action: string, address: Address): void {
    const { kind } = this.#parts;
    if (!kind.knowsOwn || kind.owns(address)) return;
    throw new BlockError(
      "foreign",
      `Cannot ${action} at ${hexadecimal(address)}: it is not ${this.name}'s own memory. Free it ` +
        "with the function that belongs to its allocator, or tell that as the option free.",
    );
  }
}
