/**
 * The native side of the magazines: their memory, and what is done in batches.
 *
 * @module
 */
import process from "node:process";
import type { Address } from "../../../ffi/types.ts";
import type { MemoryCalls } from "../shared/native.ts";
import { NativeSlots } from "../shared/native-slots.ts";
import { type Reclaimable, unwatch } from "../shared/reclaim.ts";
import { CLASS_CAPACITIES, CLASS_SIZES, ROW_SLOTS } from "./size-classes.ts";

const CLASSES: number = CLASS_SIZES.length;

/** Magazines of this thread that are flushed when its process or worker exits. */
const open = new Set<Magazines>();
let listening = false;

function flushAll(): void {
  for (const magazines of open) magazines.flush();
}

/** The magazines of one source in this thread. */
export class Magazines implements Reclaimable {
  /** How many blocks are in each class's magazine. */
  readonly counts: Int32Array<ArrayBuffer>;
  /** The blocks: a row of {@linkcode ROW_SLOTS} slots for each class. */
  readonly slots: Float64Array<ArrayBuffer>;
  /** How often native code was called to fill and to empty them. */
  refills = 0;
  drains = 0;
  readonly #calls: MemoryCalls;
  readonly #source: Address;
  readonly #native: NativeSlots;

  /**
   * Allocates empty magazines. The shim gives them back when the thread ends, however it ends.
   *
   * @throws {OutOfMemoryError} when there is no memory for them.
   */
  constructor(calls: MemoryCalls, source: Address) {
    this.#native = new NativeSlots(calls, source, CLASSES, ROW_SLOTS);
    this.counts = this.#native.counts;
    this.slots = this.#native.slots;
    this.#calls = calls;
    this.#source = source;
    open.add(this);
    if (!listening) process.once("exit", flushAll);
    listening = true;
  }

  /** Fills a class's empty magazine to half; how many blocks there are now. */
  refill(index: number): number {
    const wanted = Math.ceil((CLASS_CAPACITIES[index] ?? 1) / 2);
    const size = CLASS_SIZES[index] ?? 0;
    this.refills++;
    const count = this.#calls.offheap_refill(this.#source, this.#native.row(index), wanted, size);
    this.counts[index] = count;
    return count;
  }

  /** Gives the older half of a class's full magazine back; how many blocks are left. */
  drain(index: number): number {
    const count = this.counts[index] ?? 0;
    const drained = Math.ceil(count / 2);
    this.drains++;
    this.#calls.offheap_drain(this.#source, this.#native.row(index), drained, count);
    this.counts[index] = count - drained;
    return count - drained;
  }

  /** Gives every block back. */
  flush(): void {
    for (const [index, count] of this.counts.entries()) {
      if (count <= 0) continue;
      this.#calls.offheap_drain(this.#source, this.#native.row(index), count, count);
      this.counts[index] = 0;
    }
  }

  /** Gives every block and the magazines' own memory back, and detaches counts and slots. */
  close(): void {
    unwatch(this);
    this.reclaim();
  }

  /** Nobody can use them any more. */
  reclaim(): void {
    if (!open.delete(this)) return;
    this.#native.close();
  }
}
