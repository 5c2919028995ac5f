/**
 * What an allocator offers.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import type { Variant } from "../../library/manifest.ts";
import type { AllocatorChoice, AllocatorName } from "../../allocators/policy.ts";
import type { Evidence, LibraryReport } from "../../verify/types.ts";
import type { Arena, ArenaOptions } from "./arena.ts";
import type { BlockAllocator } from "./block-allocator.ts";
import type { Block, BlockHandle } from "./block.ts";
import type { NativeFunctions } from "./functions.ts";
import type { Heap } from "./heap.ts";
import type { LeakLevel, LeakReport } from "./leaks.ts";
import type { Pool, PoolOptions } from "./pool.ts";
import type { CachedAllocator, RawAllocator } from "./raw.ts";

/**
 * Which allocator to open, and how it watches.
 *
 * @example
 * ```ts
 * import { openAllocator, type OpenOptions } from "@offheap/offheap";
 *
 * const options: OpenOptions = { allocator: "jemalloc", leaks: "off", debug: true };
 * const memory = openAllocator(options);
 * const address = memory.cached.malloc(48);
 * memory.cached.free(address, 48);
 * console.log(memory.name, memory.cached.statistics().live);
 * memory.close();
 * ```
 */
export interface OpenOptions {
  /**
   * The allocator; `auto`, the default, is that of `OFFHEAP_ALLOCATOR`, else the one that serves the
   * process, where it is jemalloc or mimalloc, else the policy's.
   */
  readonly allocator?: AllocatorChoice | undefined;
  /** The path of its library; without it the usual places are looked at. */
  readonly library?: string | undefined;
  /** How the library was built; `release` unless told otherwise. */
  readonly variant?: Variant | undefined;
  /** Which leaks are told; that of `OFFHEAP_LEAKS` without it, else `sampled`. */
  readonly leaks?: LeakLevel | undefined;
  /** Told of each leak; without it a process warning of the type `OffheapLeak` is emitted. */
  readonly onLeak?: ((leak: LeakReport) => void) | undefined;
  /** Check addresses and sizes in {@linkcode CachedAllocator}, at the price of its speed. */
  readonly debug?: boolean | undefined;
}

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
 * What an allocator's blocks come to. What goes through `raw` and `cached` is not in it.
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
  /** The most that was ever in {@linkcode AllocatorStatistics.bytes}. */
  readonly peakBytes: number;
  /** Blocks there have ever been, adopted and claimed ones included. */
  readonly allocations: number;
  /** Blocks that were dropped and then freed by the garbage collector's word. */
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
   * by the function that is given. Without one, an address that the allocator can tell is not its
   * own is refused; mimalloc 2 says so of its blocks of 1 GiB and more, too. With one, the block
   * cannot be resized, and {@linkcode Block.usableSize} is its size.
   *
   * @param size Its size in bytes, of which views are made.
   * @throws {BlockError} for an address that is not the allocator's, or that is in use by any
   * allocator of this thread, also of another copy of offheap.
   * @throws {RangeError} for a size that is none, or larger than what was set aside.
   * @throws {TypeError} for options that are none.
   */
  adopt(address: Address, size: number, options?: AdoptOptions): Block;
  /**
   * Takes a block over from another thread of this process. Exactly one claim of a handle succeeds.
   *
   * @throws {BlockError} when it was claimed before, or is of another allocator or process.
   * @throws {TypeError} for what is no handle.
   */
  claim(handle: BlockHandle): Block;
  /**
   * The bytes that the allocator set aside for a block of this allocator.
   *
   * @throws {BlockError} as {@linkcode Block.usableSize}, and for a block of another allocator.
   */
  usableSize(block: Block): number;
  /**
   * The bytes that a block of `size` bytes would have set aside, or a little less.
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
  /** What the blocks come to. */
  statistics(): AllocatorStatistics;
  /**
   * Ends the allocator: frees and detaches all that is still open, and empties the magazines.
   *
   * @returns What was still open, apart from pools' idle blocks; it is told as a leak, too. Memory
   * whose buffer was detached by something else stays allocated, as it may be in use elsewhere. In the
   * main thread also what was transferred and not claimed, by this allocator or by those of threads
   * that have ended: it stays allocated, and can still be claimed.
   * @throws {ClosedError} when it was closed before.
   */
  close(): readonly LeakReport[];
  /** Closes the allocator, unless that was done: `using` calls it. */
  [Symbol.dispose](): void;
}
