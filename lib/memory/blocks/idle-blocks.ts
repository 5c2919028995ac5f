/**
 * A few freed blocks, kept with a buffer around each: the next allocation of the same size then
 * needs neither the allocator nor a new buffer. Moving a buffer's memory to another buffer takes a
 * tenth of what wrapping it anew takes (see docs/development/architecture.md).
 *
 * @module
 */
import { foreign } from "../../../ffi/mod.ts";
import type { Address } from "../../../ffi/types.ts";
import { OutOfMemoryError } from "../../errors.ts";
import type { MemoryCalls } from "../shared/native.ts";
import { NativeSlots } from "../shared/native-slots.ts";
import { unwatch, watch } from "../shared/reclaim.ts";
import { detach } from "../shared/buffers.ts";

/** The most blocks that are kept. */
const MOST_BLOCKS = 16;

/** The largest block that is kept, in bytes. */
const MOST_SIZE: number = 2 * 2 ** 20;

/** The most bytes that are kept. */
const MOST_BYTES: number = 8 * 2 ** 20;

/** Blocks of one source in this thread, the oldest first. */
export class IdleBlocks {
  readonly #calls: MemoryCalls;
  readonly #source: Address;
  readonly #buffers: ArrayBuffer[] = [];
  /** Their addresses lie in native memory, so that they are freed with the thread. */
  #native: NativeSlots | null = null;
  #bytes = 0;
  /** The address of the block that was taken last. */
  taken: Address = 0 as Address;

  /** Nothing is kept yet. */
  constructor(calls: MemoryCalls, source: Address) {
    this.#calls = calls;
    this.#source = source;
  }

  /**
   * The buffer of a kept block of this size and alignment, whose address is then in
   * {@linkcode IdleBlocks.taken}; `null` when there is none.
   */
  take(size: number, alignment: number): ArrayBuffer | null {
    const buffers = this.#buffers;
    const native = this.#native;
    if (native === null) return null;
    for (let i = buffers.length - 1; i >= 0; i--) {
      const buffer = buffers[i] as ArrayBuffer;
      if (buffer.byteLength !== size || native.slots[i] as number % alignment !== 0) continue;
      this.taken = native.slots[i] as Address;
      this.#remove(native, i);
      return buffer;
    }
    return null;
  }

  /** Takes over a block that is freed, and detaches its buffer; `false` when it is none to keep. */
  keep(address: Address, buffer: ArrayBuffer): boolean {
    const size = buffer.byteLength;
    if (size === 0 || size > MOST_SIZE) return false;
    const native = this.#native ?? this.#open();
    if (native === null) return false;
    while (this.#buffers.length === MOST_BLOCKS || this.#bytes + size > MOST_BYTES) {
      this.#dropOldest(native);
    }
    const count = this.#buffers.push(foreign().rewrap(buffer));
    native.slots[count - 1] = address;
    native.counts[0] = count;
    this.#bytes += size;
    return true;
  }

  /** Whether an address lies in a block that is kept. */
  contains(address: Address): boolean {
    return this.#buffers.some(({ byteLength }, index) => {
      const begin = this.#native?.slots[index] ?? 0;
      return address >= begin && address < begin + byteLength;
    });
  }

  /** Gives all of them back. */
  flush(): void {
    for (const buffer of this.#buffers.splice(0)) detach(buffer);
    this.#bytes = 0;
    if (this.#native === null) return;
    unwatch(this.#native);
    this.#native.close();
    this.#native = null;
  }

  /** The rows; `null` when there is no memory for them, and nothing is kept then. */
  #open(): NativeSlots | null {
    try {
      this.#native = new NativeSlots(this.#calls, this.#source, 1, MOST_BLOCKS);
      watch(this, this.#native);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
    }
    return this.#native;
  }

  #remove(native: NativeSlots, index: number): void {
    const count = this.#buffers.length;
    this.#bytes -= (this.#buffers[index] as ArrayBuffer).byteLength;
    if (index === count - 1) this.#buffers.pop();
    else {
      this.#buffers.splice(index, 1);
      native.slots.copyWithin(index, index + 1, count);
    }
    native.counts[0] = count - 1;
  }

  #dropOldest(native: NativeSlots): void {
    const address = native.slots[0] as Address;
    const [buffer] = this.#buffers;
    this.#remove(native, 0);
    if (buffer !== undefined) detach(buffer);
    this.#calls.offheap_free(this.#source, address);
  }
}
