/**
 * The C functions through magazines, with every address and size checked: debug mode.
 *
 * @module
 */
import { type Address, NULL } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import type { CachedAllocator, CachedStatistics } from "../api/raw.ts";
import type { CachedMemory } from "./cached.ts";

/** Knows each block in use, and its size. */
export class CheckedMemory implements CachedAllocator {
  readonly #cached: CachedMemory;
  readonly #live = new Map<Address, number>();

  /** Checks the use of magazines. */
  constructor(cached: CachedMemory) {
    this.#cached = cached;
  }

  malloc(size: number): Address {
    return this.#enter(this.#cached.malloc(size), size);
  }

  free(address: Address, size: number): void {
    if (address !== NULL) this.#require("free", address, size);
    this.#cached.free(address, size);
    this.#live.delete(address);
  }

  calloc(count: number, size: number): Address {
    return this.#enter(this.#cached.calloc(count, size), count * size);
  }

  realloc(address: Address, oldSize: number, size: number): Address {
    if (address !== NULL) this.#require("reallocate", address, oldSize);
    const moved = this.#cached.realloc(address, oldSize, size);
    this.#live.delete(address);
    return this.#enter(moved, size);
  }

  alignedAlloc(alignment: number, size: number): Address {
    return this.#enter(this.#cached.alignedAlloc(alignment, size), size);
  }

  usableSize(address: Address): number {
    this.#require("measure", address, this.#live.get(address));
    return this.#cached.usableSize(address);
  }

  statistics(): CachedStatistics {
    return { ...this.#cached.statistics(), live: this.#live.size };
  }

  /** As that of {@linkcode CachedMemory}. */
  flush(): void {
    this.#cached.flush();
  }

  /** As that of {@linkcode CachedMemory}. */
  close(): void {
    this.#cached.close();
  }

  #enter(address: Address, size: number): Address {
    this.#live.set(address, size);
    return address;
  }

  #require(action: string, address: Address, size: number | undefined): void {
    const known = this.#live.get(address);
    const at = `0x${address.toString(16)}`;
    if (known === undefined) {
      throw new BlockError(
        "freed",
        `Cannot ${action} cached memory at ${at}: no block there is in use. It was freed before, ` +
          "or did not come from this interface.",
      );
    }
    if (known === size) return;
    throw new BlockError(
      "size",
      `Cannot ${action} cached memory at ${at} as ${size} bytes: it was allocated with ${known}.`,
    );
  }
}
