/**
 * Allocators: one native source, and all that is made of it.
 *
 * @module
 */
import { isMainThread } from "node:worker_threads";
import { type Address, NULL } from "../../ffi/types.ts";
import type { AllocatorName } from "../allocators/mod.ts";
import {
  type AllocatorFigures,
  type OpenedStatistics,
  readOrWhy,
} from "../allocators/statistics.ts";
import { BlockError, ClosedError } from "../errors.ts";
import { ownOptions } from "../options.ts";
import type { Evidence, LibraryReport } from "../verify/types.ts";
import type { OwnBlocks } from "../verify/own-blocks.ts";
import { type Arena, type ArenaOptions, BumpArena } from "./arena/arena.ts";
import { type BlockAllocator, StoreAllocator } from "./blocks/block-allocator.ts";
import { type Block, claimBlock, NativeBlock, ownBlock } from "./blocks/block.ts";
import { Store, type StoreParts } from "./blocks/store.ts";
import { type BlockHandle, claim, unclaimedSizes } from "./blocks/transfer.ts";
import { type CachedAllocator, CachedMemory } from "./cached/cached.ts";
import { CheckedMemory } from "./cached/checked.ts";
import { type NativeFunctions, readFunctions } from "./functions.ts";
import { type Heap, IsolatedHeap } from "./heap/heap.ts";
import type { AllocatorKind } from "../allocators/memory.ts";
import type { LeakReport } from "./leaks.ts";
import { BlockPool, type Pool, type PoolOptions } from "./pool/pool.ts";
import { measured, type Purged, setDecay } from "./purge.ts";
import { openRaw, type RawAllocator, type RawFunctions } from "./raw.ts";
import { AllocatorAccount } from "./shared/account.ts";
import {
  flagOption,
  MIN_ALIGNMENT,
  requireAddress,
  requireSize,
  requireWhole,
} from "./shared/arguments.ts";
import { hexadecimal, INSPECT, summarize } from "./shared/inspection.ts";
import { Owners } from "./shared/owners.ts";
import { register, type Registered, requireUnused, unregister } from "./shared/registry.ts";

/**
 * How a block of native code's is taken over.
 *
 * @example A string of the C library's, freed by the C library's own function
 * ```ts
 * import { cStringLength, openAllocator, openLibrary } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const libc = openLibrary(null, { strdup: { parameters: ["cstring"], result: "pointer" } });
 * const { free } = openAllocator({ allocator: "system" }).functions;
 * const address = libc.calls.strdup("native");
 * const block = memory.adopt(address, cStringLength(address), { free });
 * console.log(new TextDecoder().decode(block.bytes));
 * block.free();
 * memory.close();
 * ```
 */
export interface AdoptOptions {
  /**
   * The address of a native function `void free(void *)` that frees the block, in whichever thread
   * it ends; without it, this allocator's own `free`. The library must stay loaded.
   */
  readonly free?: Address | undefined;
  /** As in {@linkcode AllocateOptions}. */
  readonly managed?: boolean | undefined;
}

/**
 * What an allocator has in use. What goes through `raw` and `cached` is not in it.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const first = memory.allocate(1000);
 * memory.allocate(500).free();
 * const { blocks, bytes, peakBytes } = memory.statistics();
 * console.log(blocks, bytes, peakBytes);
 * first.free();
 * memory.close();
 * ```
 */
export interface AllocatorStatistics {
  /** Blocks in use: those of pools and heaps, and an arena's chunks, are counted. */
  readonly blocks: number;
  /** Bytes in them, as they were asked for. */
  readonly bytes: number;
  /** The maximum that there ever was of {@linkcode AllocatorStatistics.bytes}. */
  readonly peakBytes: number;
  /** Blocks there have ever been, adopted and claimed ones included. */
  readonly allocations: number;
  /** Blocks that were dropped, and freed when the garbage collector found them. */
  readonly leaks: number;
  /** Blocks that were transferred, of this allocator in any thread, and that nobody has claimed. */
  readonly unclaimed: number;
  /**
   * Blocks that were in use in threads, of this allocator, that have ended without closing theirs: a
   * worker that crashed or was terminated. Nobody frees them any more.
   */
  readonly lostBlocks: number;
  /** Bytes in them. */
  readonly lostBytes: number;
}

/**
 * An allocator whose blocks were proven to be its own. It belongs to the JavaScript thread that
 * opened it; other threads open their own, over the same native library.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * console.log(memory.name, memory.version, memory.verified);
 * const block = memory.allocateFrom("hello");
 * memory.reallocate(block, 100);
 * console.log(block.bytes.subarray(0, 5), block.usableSize >= 100);
 * block.free();
 * console.log(memory.statistics().blocks, memory.close().length);
 * ```
 */
export interface Allocator extends BlockAllocator, Disposable {
  /** Which allocator it is. */
  readonly name: AllocatorName;
  /** Its version; `null` when it could not be read. */
  readonly version: string | null;
  /** That ownership or a counter proved it, and nothing spoke against it. */
  readonly verified: true;
  /** What was looked at to prove it. */
  readonly evidence: readonly Evidence[];
  /** Its library; `null` for the system's allocator. */
  readonly library: LibraryReport | null;
  /** The C functions, unchecked. */
  readonly raw: RawAllocator;
  /** The C functions through magazines. */
  readonly cached: CachedAllocator;
  /** Where the C functions are, for native libraries that take them. */
  readonly functions: NativeFunctions;
  /**
   * Takes over a block that native code allocated; offheap then frees it, by the same allocator, or
   * by the function that is given. Without one, an address that the allocator knows is not its
   * own is refused; mimalloc 2 says so of its blocks of 1 GiB and more, too. With one, the block
   * cannot be resized, and {@linkcode Block.usableSize} is its size.
   *
   * @param size Its size in bytes, of which views are made.
   * @throws {BlockError} for an address that is not the allocator's, or that is in use by any
   * allocator of this thread, also of another copy of offheap.
   * @throws {RangeError} for what is not a size, and for one larger than the usable size.
   * @throws {TypeError} for bad options.
   */
  adopt(address: Address, size: number, options?: AdoptOptions): Block;
  /**
   * Takes a block over from another thread of this process. Exactly one claim of a handle succeeds.
   *
   * @throws {BlockError} when it was claimed before, or is of another allocator or process.
   * @throws {TypeError} for what is not a handle.
   */
  claim(handle: BlockHandle): Block;
  /**
   * The usable size of a block of this allocator, in bytes.
   *
   * @throws {BlockError} as {@linkcode Block.usableSize}, and for a block of another allocator.
   */
  usableSize(block: Block): number;
  /**
   * The usable size that a block of `size` bytes would have, or a little less.
   *
   * @throws {UnsupportedOperationError} for the system's allocator, which cannot be asked.
   */
  goodSize(size: number): number;
  /**
   * Whether this allocator gave out, in any thread, the block that begins at an address. Of an
   * address inside a block the allocators say different things. mimalloc 2 does not know its blocks
   * above 20 TiB, those of 1 GiB and more among them, and denies them.
   *
   * @throws {UnsupportedOperationError} for the system's allocator, and for a jemalloc that was not
   * built by offheap: both would crash at a wrong address.
   */
  owns(address: Address): boolean;
  /** Gives free memory back: magazines to the allocator, and what it has cached to the system. */
  collect(): void;
  /**
   * Has the allocator give its unused pages back to the system. What offheap and the allocator keep
   * for this thread stays: {@linkcode Allocator.collect} gives it back, too.
   *
   * @returns What came back.
   */
  purge(): Purged;
  /**
   * Sets how long the allocator keeps unused pages before it gives them back: for all that use its
   * library in this process.
   *
   * @param milliseconds `null` for as long as at the start.
   * @throws {UnsupportedOperationError} when the allocator has no such time: the C libraries' own.
   * @throws {TypeError | RangeError} for what is no time.
   */
  decay(milliseconds: number | null): void;
  /**
   * An arena, for many allocations that end together.
   *
   * @throws {RangeError | TypeError} for bad options.
   */
  arena(options?: ArenaOptions): Arena;
  /**
   * A heap apart from all other memory.
   *
   * @throws {UnsupportedOperationError} for the system's allocator.
   * @throws {OutOfMemoryError} when none can be made.
   */
  heap(): Heap;
  /**
   * A pool of blocks of one size.
   *
   * @throws {RangeError | TypeError} for bad options.
   */
  pool(options: PoolOptions): Pool;
  /** What the allocator has in use, as offheap counts it. */
  statistics(): AllocatorStatistics;
  /**
   * What the allocator's library counts itself: of all that use it in this process, other threads
   * included. Where it serves the process's `malloc`, that is the whole process.
   */
  stats(): AllocatorFigures;
  /**
   * Ends the allocator: frees and detaches all that is still open, and empties the magazines.
   *
   * @returns What was still open, apart from pools' idle blocks; it is reported as a leak, too. Memory
   * whose buffer was detached by something else stays allocated, as it may be in use elsewhere. In the
   * main thread also what was transferred and not claimed, by this allocator or by those of threads
   * that have ended: it stays allocated, and can still be claimed.
   * @throws {ClosedError} when it was closed before.
   */
  close(): readonly LeakReport[];
  /** Closes the allocator, unless that was done: `using` calls it. */
  [Symbol.dispose](): void;
}

const ADOPT_OPTIONS: readonly (keyof AdoptOptions)[] = ["free", "managed"];

/** What an allocator is made of. */
export interface AllocatorParts
  extends Pick<StoreParts, "calls" | "source" | "tracker" | "keepsFreed"> {
  /** What was proven of it. */
  readonly proven: OwnBlocks;
  /** Its own functions. */
  readonly kind: AllocatorKind;
  /** What its library counts, opened at the first call. */
  readonly counters: () => OpenedStatistics;
  /** Whether cached memory is checked. */
  readonly debug: boolean;
}

/** An allocator that was proven. */
export class NativeAllocator extends StoreAllocator implements Allocator {
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
  #cached: CachedMemory | null = null;
  #functions: NativeFunctions | null = null;
  #open = true;

  /** Makes the allocator of a source. */
  constructor(parts: AllocatorParts) {
    const { proven, calls, source, tracker, keepsFreed } = parts;
    const account = new AllocatorAccount(calls, source);
    const store = new Store({
      calls,
      source,
      tracker,
      account,
      depositor: account.address,
      object: proven.resolved?.path ?? null,
      what: `this ${proven.name} allocator`,
      keepsFreed,
      trim: () => this.#trim(),
    });
    super(store);
    this.name = proven.name;
    this.version = proven.version;
    this.evidence = proven.evidence;
    this.library = proven.library;
    this.#parts = parts;
    this.#account = account;
    this.#store = store;
    this.#raw = openRaw(calls, source);
    const owners = this.#owners;
    const answers: Registered = {
      userOf: (address) => {
        const known = store.find(address);
        if (known !== null) return `a block of ${known.size} bytes`;
        return owners.contains(address) ? "a heap or an arena" : null;
      },
      isIdle: (address) => store.isFreed(address),
    };
    // It is held weakly: it lives as long as the store, and so as long as its blocks.
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
    const managed = flagOption(action, "managed", own.managed);
    const { free: given } = own;
    if (given !== undefined) requireAddress(action, given, "the free function");
    const free = given ?? NULL;
    this.#store.requireOpen(action);
    if (free === NULL) this.#requireOwn(action, address);
    requireUnused(action, address, this.#parts.calls);
    if (free === NULL) {
      requireWhole(action, "the size", size, 0, this.#raw.raw.usableSize(address));
    }
    const alignment = free === NULL ? MIN_ALIGNMENT : 1;
    const arrival = { address, size, alignment, free, managed, kind: "block" } as const;
    const trace = managed ? null : this.#parts.tracker.trace(this.adopt);
    return new NativeBlock(this.#store, ...this.#store.adopt(arrival, trace));
  }

  claim(handle: BlockHandle): Block {
    this.#store.requireOpen("claim a block");
    const arrival = claim(this.#store, handle);
    return claimBlock(this.#store, arrival, this.#parts.tracker.trace(this.claim));
  }

  usableSize(block: Block): number {
    return ownBlock(this.#store, "measure a block", block).usableSize;
  }

  goodSize(size: number): number {
    requireSize("find a good size", size);
    return this.#parts.kind.goodSize(Math.max(size, MIN_ALIGNMENT));
  }

  owns(address: Address): boolean {
    const action = "ask for the owner of an address";
    requireWhole(action, "the address", address, 0, Number.MAX_SAFE_INTEGER);
    this.#store.requireOpen(action);
    return this.#parts.kind.owns(address);
  }

  collect(): void {
    this.#store.requireOpen("collect");
    this.#trim();
  }

  purge(): Purged {
    this.#store.requireOpen("purge");
    return measured(() => this.#parts.counters().purge());
  }

  decay(milliseconds: number | null): void {
    this.#store.requireOpen("set how long unused memory is kept");
    setDecay(this.#parts.counters(), milliseconds);
  }

  arena(options?: ArenaOptions): Arena {
    const trace = this.#parts.tracker.trace(this.arena);
    return new BumpArena(this.#store, this.#owners, trace, options);
  }

  heap(): Heap {
    const trace = this.#parts.tracker.trace(this.heap);
    return new IsolatedHeap(this.#store, this.#owners, this.#parts.kind.heaps, trace);
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

  stats(): AllocatorFigures {
    this.#store.requireOpen("read what the allocator counts");
    return readOrWhy(this.#parts.counters());
  }

  close(): readonly LeakReport[] {
    const action = "close an allocator";
    this.#store.requireOpen(action);
    // What is reported while heaps end may come back here.
    if (!this.#open) throw new ClosedError(action, `this ${this.name} allocator is being closed`);
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
    return this.#cached = new (debug ? CheckedMemory : CachedMemory)(calls, source);
  }

  #trim(): void {
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
        "with the function that belongs to its allocator, or pass that as the option free.",
    );
  }
}
