/**
 * Rows of free blocks that lie in native memory: JavaScript puts into them and takes from them
 * without a call, and the shim gives all of it back when the thread ends, however it ends.
 *
 * @module
 */
import { foreign } from "../../../ffi/mod.ts";
import { type Address, NULL } from "../../../ffi/types.ts";
import { OutOfMemoryError } from "../../errors.ts";
import type { MemoryCalls } from "./native.ts";
import type { Reclaimable } from "./reclaim.ts";
import { detach } from "./buffers.ts";

/** The layout of magazine.c: a header, a count for each row, and the rows' slots. */
const HEADER_BYTES = 64;
const COUNT_BYTES = 4;
const SLOT_BYTES = 8;
const LINE = 64;

/** Rows of slots, each with a count of those in use. */
export class NativeSlots implements Reclaimable {
  /** How many slots of each row are in use. */
  readonly counts: Int32Array<ArrayBuffer>;
  /** The addresses, row by row. */
  readonly slots: Float64Array<ArrayBuffer>;
  readonly #calls: MemoryCalls;
  readonly #address: Address;
  readonly #first: number;
  readonly #rowBytes: number;

  /**
   * Allocates empty rows.
   *
   * @throws {OutOfMemoryError} when there is no memory for them.
   */
  constructor(calls: MemoryCalls, source: Address, rows: number, capacity: number) {
    this.#first = HEADER_BYTES + Math.ceil(rows * COUNT_BYTES / LINE) * LINE;
    this.#rowBytes = capacity * SLOT_BYTES;
    const bytes = this.#first + rows * this.#rowBytes;
    const address = calls.offheap_magazines_open(source, rows, capacity);
    if (address === NULL) throw new OutOfMemoryError("rows of free blocks", bytes, LINE);
    const buffer = foreign().wrap(address, bytes);
    this.counts = new Int32Array(buffer, HEADER_BYTES, rows);
    this.slots = new Float64Array(buffer, this.#first, rows * capacity);
    this.#calls = calls;
    this.#address = address;
  }

  /** Where a row's slots begin in native memory. */
  row(index: number): Address {
    return this.#address + this.#first + index * this.#rowBytes as Address;
  }

  /** Whoever used the rows was collected. */
  reclaim(): void {
    this.close();
  }

  /** Gives the blocks that are in the rows and the rows' own memory back. */
  close(): void {
    this.#calls.offheap_magazines_close(this.#address);
    detach(this.counts.buffer);
  }
}
