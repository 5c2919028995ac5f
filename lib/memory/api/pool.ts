/**
 * What a pool offers.
 *
 * @module
 */
import type { Address, NativePointer } from "../../../ffi/types.ts";
import type { BlockHandle, ViewConstructor, ViewOf } from "./block.ts";

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
  /** The most blocks there may be at once; no limit without it. */
  readonly max?: number | undefined;
  /**
   * Detach a block's views when its lease is released, so that nothing can look into the next
   * lease's bytes. It costs wrapping the block anew at the next lease. Without it a view that was
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
 * The use of one block of a pool, until it is released.
 *
 * @example
 * ```ts
 * import { openAllocator } from "@offheap/offheap";
 *
 * const memory = openAllocator();
 * const pool = memory.pool({ blockSize: 65_536, strict: true });
 * const lease = pool.acquire();
 * const { bytes } = lease;
 * bytes.fill(1);
 * lease.release();
 * console.log(bytes.length);
 * memory.close();
 * ```
 */
export interface Lease extends Disposable {
  /**
   * All bytes of the block.
   *
   * @throws {BlockError} after the release, as do the other members.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The buffer behind them. It must not be detached, as with {@linkcode Block.buffer}. */
  readonly buffer: ArrayBuffer;
  /** The block's size in bytes. */
  readonly size: number;
  /** The address of its first byte. */
  readonly address: Address;
  /** The address as this runtime's own FFI takes it, see {@linkcode Block.pointer}. */
  readonly pointer: NativePointer;
  /** A view of the block as elements of another type, see {@linkcode Block.as}. */
  as<C extends ViewConstructor>(type: C, byteOffset?: number, length?: number): ViewOf<C>;
  /**
   * Keeps the block for an asynchronous native call, as {@linkcode Block.hold} does: a lease that is
   * released meanwhile goes back to the pool when the call has ended.
   *
   * @throws {BlockError} after the release.
   * @throws {TypeError} for what is no promise.
   */
  hold<T>(call: PromiseLike<T>): Promise<T>;
  /**
   * Gives the block back to the pool, or to the caller that has waited longest.
   *
   * @throws {BlockError} when it was released before, or its buffer was detached by something else.
   */
  release(): void;
  /**
   * Gives the block to whoever claims the handle first, in another thread: an allocator there takes
   * it as a block by its `claim()`, and gives it back by `transfer()` of that block. Its place in
   * the pool stays taken until {@linkcode Pool.claim} takes it back as a lease.
   *
   * @throws {BlockError} after the release, while an asynchronous call uses the block, or when its
   * buffer was detached by something else.
   */
  transfer(): BlockHandle;
  /** Releases the lease, unless that was done: `using` calls it. */
  [Symbol.dispose](): void;
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
   * @throws {BlockError} when it was claimed before, or is none of this pool's: it can be claimed by
   * its allocator then.
   * @throws {TypeError} for what is no handle.
   * @throws {ClosedError} after the pool or its allocator was closed.
   */
  claim(handle: BlockHandle): Lease;
  /**
   * Gives up on a lease that will not come back, as its thread has freed the block or has ended:
   * its place in the pool is free again. A block that nobody has claimed yet is freed.
   *
   * @param handle What the lease's `transfer()` gave.
   * @throws {BlockError} when it is none that this pool has given away, or it has come back.
   * @throws {TypeError} for what is no handle.
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
