/**
 * The native memory of an arena: its chunks, without the JavaScript side that may be collected.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import type { LeakReport } from "../leaks.ts";
import type { Leak } from "../leaks.ts";
import type { Reclaimable } from "../shared/reclaim.ts";
import type { Store } from "../blocks/store.ts";

/** Every chunk begins at a multiple of it, in bytes. */
export const CHUNK_ALIGNMENT = 64;

/** What one is called when there is no memory for it. */
const CHUNK = "an arena's chunk";

/** One chunk. */
export interface Chunk {
  /** Its first byte. */
  readonly address: Address;
  /** Its size in bytes. */
  readonly size: number;
}

/** All chunks of one arena. */
export class Chunks implements Reclaimable {
  readonly #store: Store;
  readonly #trace: string | null;
  readonly #chunks = new Set<Chunk>();
  /** Their size in bytes. */
  size = 0;

  /**
   * No chunks yet.
   *
   * @param trace The stack of who makes the arena, when that is recorded.
   */
  constructor(store: Store, trace: string | null) {
    this.#store = store;
    this.#trace = trace;
  }

  /** How many there are. */
  get count(): number {
    return this.#chunks.size;
  }

  /** What a report says of them. */
  get leak(): Leak {
    return { kind: "arena", size: this.size, trace: this.#trace };
  }

  /** What is reported of them when the allocator is closed. */
  report(): LeakReport {
    return this.#store.parts.tracker.describe(this.leak, "closed");
  }

  /** Whether an address is in one of them. */
  contains(at: Address): boolean {
    return [...this.#chunks].some(({ address, size }) => at >= address && at < address + size);
  }

  /** One more. */
  take(size: number, alignment: number): Chunk {
    return this.#add(this.#store.take(CHUNK, size, alignment, false), size);
  }

  /** One more, of any size, with a buffer over it. */
  takeWrapped(size: number, alignment: number): [Chunk, ArrayBuffer] {
    const [address, buffer] = this.#store.takeWrapped(CHUNK, size, alignment, false);
    return [this.#add(address, size), buffer];
  }

  #add(address: Address, size: number): Chunk {
    const chunk = { address, size };
    this.#chunks.add(chunk);
    this.size += size;
    return chunk;
  }

  /** Gives one back. */
  give(chunk: Chunk): void {
    if (!this.#chunks.delete(chunk)) return;
    this.size -= chunk.size;
    this.#store.give(chunk.address, chunk.size);
  }

  /** Gives all back. */
  giveAll(): void {
    for (const chunk of this.#chunks) this.give(chunk);
  }

  /** The arena was collected, and all of its buffers: a leak when there is anything. */
  reclaim(): void {
    if (this.count === 0) return;
    const { leak } = this;
    this.giveAll();
    this.#store.parts.tracker.collected(leak);
  }
}
