/**
 * Leases: what callers hold of a pool's block.
 *
 * @module
 */
import type { Address, NativePointer } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import type { NativeBlock } from "../blocks/block.ts";
import type { BlockHandle } from "../blocks/transfer.ts";
import { INSPECT, shownAddress, summarize } from "../shared/inspection.ts";
import type { ViewConstructor, ViewOf } from "../shared/views.ts";

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
  /** The buffer of these bytes. It must not be detached, as with {@linkcode Block.buffer}. */
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
   * @throws {TypeError} for what is not a promise.
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

/** Where a lease's block goes back to. */
interface Lessor {
  giveBack(block: NativeBlock): void;
  send(block: NativeBlock): BlockHandle;
}

/** A lease of one block. */
export class BlockLease implements Lease {
  readonly #lessor: Lessor;
  #block: NativeBlock | null;

  /** Leases a block. */
  constructor(lessor: Lessor, block: NativeBlock) {
    this.#lessor = lessor;
    this.#block = block;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#leased("use").bytes;
  }

  get buffer(): ArrayBuffer {
    return this.#leased("use").buffer;
  }

  get size(): number {
    return this.#leased("use").size;
  }

  get address(): Address {
    return this.#leased("use").address;
  }

  get pointer(): NativePointer {
    return this.#leased("use").pointer;
  }

  as<C extends ViewConstructor>(type: C, byteOffset = 0, length?: number): ViewOf<C> {
    return this.#leased("view").as(type, byteOffset, length);
  }

  hold<T>(call: PromiseLike<T>): Promise<T> {
    return this.#leased("hold").hold(call);
  }

  release(): void {
    const block = this.#leased("release");
    this.#lessor.giveBack(block);
    this.#block = null;
  }

  transfer(): BlockHandle {
    // The block itself knows from then on that it was given away.
    return this.#lessor.send(this.#leased("transfer"));
  }

  [Symbol.dispose](): void {
    if (this.#block?.live === true) this.release();
  }

  [INSPECT](): string {
    if (this.#block === null) return summarize("Lease", { state: "released" });
    const { size, record, state } = this.#block;
    const address = shownAddress(record.address, this.#block.live);
    return summarize("Lease", { size, address, state });
  }

  #leased(action: string): NativeBlock {
    if (this.#block !== null) return this.#block;
    throw new BlockError("released", `Cannot ${action} a lease: it was released before.`);
  }
}
