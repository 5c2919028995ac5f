/**
 * Magazines: free blocks that wait in native memory. JavaScript puts into them and takes from them
 * without a call, and the shim frees all of them when the thread ends, however it ends.
 *
 * @module
 */
import process from "node:process";
import { ffi } from "../../../ffi/mod.ts";
import { type Address, NULL } from "../../../ffi/types.ts";
import { OutOfMemoryError } from "../../errors.ts";
import { detach } from "./buffers.ts";
import type { MemoryCalls } from "../../allocators/memory.ts";
import { type Reclaimable, unwatch } from "./reclaim.ts";

/** The layout of magazine.c: a header, each magazine's count, and each magazine's slots. */
const HEADER_BYTES = 64;
const COUNT_BYTES = 4;
const SLOT_BYTES = 8;
const LINE = 64;

/** What is flushed when the process or its worker exits. */
const flushedAtExit = new Set<Magazines>();
let listening = false;

/** Magazines of one source in this thread, one for each class of blocks. */
export class Magazines implements Reclaimable {
  /** How many blocks are in each magazine. */
  readonly counts: Int32Array<ArrayBuffer>;
  /** The blocks' addresses: as many slots for each magazine as it can have blocks. */
  readonly slots: Float64Array<ArrayBuffer>;
  readonly #calls: MemoryCalls;
  readonly #source: Address;
  readonly #address: Address;

  /**
   * Allocates empty magazines of `capacity` slots.
   *
   * @throws {OutOfMemoryError} when there is no memory for them.
   */
  constructor(calls: MemoryCalls, source: Address, classes: number, capacity: number) {
    const first = HEADER_BYTES + Math.ceil(classes * COUNT_BYTES / LINE) * LINE;
    const bytes = first + classes * capacity * SLOT_BYTES;
    const address = calls.offheap_magazines_open(source, classes, capacity);
    if (address === NULL) throw new OutOfMemoryError("magazines", bytes, LINE);
    const buffer = ffi().wrap(address, bytes);
    this.counts = new Int32Array(buffer, HEADER_BYTES, classes);
    this.slots = new Float64Array(buffer, first, classes * capacity);
    this.#calls = calls;
    this.#source = source;
    this.#address = address;
  }

  /** Allocates up to `wanted` blocks into an empty magazine; how many there are then. */
  refill(index: number, wanted: number, size: number): number {
    const count = this.#calls.offheap_refill(this.#source, this.#slotsOf(index), wanted, size);
    this.counts[index] = count;
    return count;
  }

  /** Frees the oldest blocks of a magazine; how many are left. */
  drain(index: number, drained: number): number {
    const count = this.counts[index] ?? 0;
    this.#calls.offheap_drain(this.#source, this.#slotsOf(index), drained, count);
    this.counts[index] = count - drained;
    return count - drained;
  }

  /** Frees every block. */
  flush(): void {
    for (const [index, count] of this.counts.entries()) if (count > 0) this.drain(index, count);
  }

  /** Has the blocks freed when the process or its worker exits, too. */
  flushAtExit(): void {
    flushedAtExit.add(this);
    if (!listening) process.once("exit", () => flushedAtExit.forEach((each) => each.flush()));
    listening = true;
  }

  /** Frees every block and the magazines, and detaches counts and slots. */
  close(): void {
    unwatch(this);
    flushedAtExit.delete(this);
    this.#calls.offheap_magazines_close(this.#address);
    detach(this.counts.buffer);
  }

  /** Whoever used them was collected. */
  reclaim(): void {
    this.close();
  }

  /** Where the slots of a magazine begin in native memory. */
  #slotsOf(index: number): Address {
    const { byteOffset, length } = this.slots;
    return this.#address + byteOffset +
      index * (length / this.counts.length) * SLOT_BYTES as Address;
  }
}
