/**
 * What an allocator has in use. The counts are in native memory: when a thread ends without having
 * closed its allocator, other threads can still see what was lost with it.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { type Address, NULL } from "../../../ffi/types.ts";
import { OutOfMemoryError } from "../../errors.ts";
import { detach } from "./buffers.ts";
import type { MemoryCalls } from "../../allocators/memory.ts";
import { type Reclaimable, unwatch, watch } from "./reclaim.ts";

/** What a store has in use. */
export interface Account {
  /** Allocations in use. */
  blocks: number;
  /** Their size in bytes. */
  bytes: number;
  /** The maximum that there ever was of {@linkcode Account.bytes}. */
  peakBytes: number;
  /** Allocations there have ever been. */
  allocations: number;
}

/** The layout of account.c: these two come first. */
const BLOCKS = 0;
const BYTES = 1;
const COUNTS = 2;

/** The native side, without the JavaScript side that may be collected. */
class NativeAccount implements Reclaimable {
  readonly address: Address;
  readonly counts: Float64Array<ArrayBuffer>;
  readonly #calls: MemoryCalls;

  constructor(calls: MemoryCalls, source: Address) {
    const bytes = COUNTS * Float64Array.BYTES_PER_ELEMENT;
    this.address = calls.offheap_account_open(source);
    if (this.address === NULL) {
      throw new OutOfMemoryError("an account", bytes, Float64Array.BYTES_PER_ELEMENT);
    }
    this.counts = new Float64Array(ffi().wrap(this.address, bytes));
    this.#calls = calls;
  }

  reclaim(): void {
    this.#calls.offheap_account_close(this.address);
    detach(this.counts.buffer);
  }
}

/** The account of an allocator as a whole. */
export class AllocatorAccount implements Account {
  peakBytes = 0;
  allocations = 0;
  readonly #native: NativeAccount;
  #counts: Float64Array;

  /**
   * Opens an empty account.
   *
   * @throws {OutOfMemoryError} when there is no memory for it.
   */
  constructor(calls: MemoryCalls, source: Address) {
    this.#native = new NativeAccount(calls, source);
    this.#counts = this.#native.counts;
    watch(this, this.#native);
  }

  /** By which the shim knows it. */
  get address(): Address {
    return this.#native.address;
  }

  get blocks(): number {
    return this.#counts[BLOCKS] ?? 0;
  }

  set blocks(value: number) {
    this.#counts[BLOCKS] = value;
  }

  get bytes(): number {
    return this.#counts[BYTES] ?? 0;
  }

  set bytes(value: number) {
    this.#counts[BYTES] = value;
  }

  /** Ends it in the shim; what was counted stays here. */
  close(): void {
    this.#counts = Float64Array.from(this.#counts);
    unwatch(this.#native);
    this.#native.reclaim();
  }
}

/** The account of a heap: what is in it counts for its allocator as well. */
export class HeapAccount implements Account {
  readonly #allocator: Account;
  #blocks = 0;
  #bytes = 0;
  #allocations = 0;
  peakBytes = 0;

  /** Opens an empty account. */
  constructor(allocator: Account) {
    this.#allocator = allocator;
  }

  get blocks(): number {
    return this.#blocks;
  }

  set blocks(value: number) {
    this.#allocator.blocks += value - this.#blocks;
    this.#blocks = value;
  }

  get bytes(): number {
    return this.#bytes;
  }

  set bytes(value: number) {
    this.#allocator.bytes += value - this.#bytes;
    this.#allocator.peakBytes = Math.max(this.#allocator.peakBytes, this.#allocator.bytes);
    this.#bytes = value;
  }

  get allocations(): number {
    return this.#allocations;
  }

  set allocations(value: number) {
    this.#allocator.allocations += value - this.#allocations;
    this.#allocations = value;
  }
}
