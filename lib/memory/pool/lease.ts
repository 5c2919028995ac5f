/**
 * Leases: what callers hold of a pool's block.
 *
 * @module
 */
import type { Address, NativePointer } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import type { BlockHandle, ViewConstructor, ViewOf } from "../api/block.ts";
import type { Lease } from "../api/pool.ts";
import type { NativeBlock } from "../blocks/block.ts";
import { INSPECT, shownAddress, summarize } from "../shared/inspection.ts";

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
