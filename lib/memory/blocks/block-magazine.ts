/**
 * A few freed blocks, kept with a buffer over each: the next allocation of the same size then needs
 * neither the allocator nor a new buffer. Moving a buffer's memory to another buffer takes a tenth
 * of what wrapping it again takes (see docs/development/decisions/off-heap-memory.md).
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import type { Address } from "../../../ffi/types.ts";
import { OutOfMemoryError } from "../../errors.ts";
import { detach } from "../shared/buffers.ts";
import { Magazines } from "../shared/magazines.ts";
import type { MemoryCalls } from "../../allocators/memory.ts";
import { watch } from "../shared/reclaim.ts";

/** The maximum of blocks that are kept. */
const MAX_BLOCKS = 16;

/** The largest block that is kept, in bytes. */
const MAX_SIZE: number = 2 * 2 ** 20;

/** The maximum of bytes that are kept. */
const MAX_BYTES: number = 8 * 2 ** 20;

/** Freed blocks of one source in this thread, the oldest first. */
export class BlockMagazine {
  readonly #calls: MemoryCalls;
  readonly #source: Address;
  readonly #buffers: ArrayBuffer[] = [];
  /** One magazine, so that the blocks are freed with the thread. */
  #native: Magazines | null = null;
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
   * {@linkcode BlockMagazine.taken}; `null` when there is none.
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

  /** Takes over a block that is freed, and detaches its buffer; `false` when it cannot be kept. */
  keep(address: Address, buffer: ArrayBuffer): boolean {
    const size = buffer.byteLength;
    if (size === 0 || size > MAX_SIZE) return false;
    const native = this.#native ?? this.#open();
    if (native === null) return false;
    while (this.#buffers.length === MAX_BLOCKS || this.#bytes + size > MAX_BYTES) {
      this.#dropOldest(native);
    }
    const count = this.#buffers.push(ffi().rewrap(buffer));
    native.slots[count - 1] = address;
    native.counts[0] = count;
    this.#bytes += size;
    return true;
  }

  /** Whether an address is in a block that is kept. */
  contains(address: Address): boolean {
    return this.#buffers.some(({ byteLength }, index) => {
      const begin = this.#native?.slots[index] ?? 0;
      return address >= begin && address < begin + byteLength;
    });
  }

  /** Frees all of them. */
  flush(): void {
    for (const buffer of this.#buffers.splice(0)) detach(buffer);
    this.#bytes = 0;
    this.#native?.close();
    this.#native = null;
  }

  /** The magazine; `null` when there is no memory for it, and nothing is kept then. */
  #open(): Magazines | null {
    try {
      this.#native = new Magazines(this.#calls, this.#source, 1, MAX_BLOCKS);
      watch(this, this.#native);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
    }
    return this.#native;
  }

  #remove(native: Magazines, index: number): void {
    const count = this.#buffers.length;
    this.#bytes -= (this.#buffers[index] as ArrayBuffer).byteLength;
    if (index === count - 1) this.#buffers.pop();
    else {
      this.#buffers.splice(index, 1);
      native.slots.copyWithin(index, index + 1, count);
    }
    native.counts[0] = count - 1;
  }

  #dropOldest(native: Magazines): void {
    const address = native.slots[0] as Address;
    const [buffer] = this.#buffers;
    this.#remove(native, 0);
    if (buffer !== undefined) detach(buffer);
    this.#calls.offheap_free(this.#source, address);
  }
}
