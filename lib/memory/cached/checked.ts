/**
 * The C functions through magazines, with every address and size checked: debug mode.
 *
 * @module
 */
import { type Address, NULL } from "../../../ffi/types.ts";
import { BlockError } from "../../errors.ts";
import { requireAddress } from "../shared/arguments.ts";
import { hexadecimal } from "../shared/inspection.ts";
import { CachedMemory, type CachedStatistics } from "./cached.ts";

/** Knows each block in use, and its size. */
export class CheckedMemory extends CachedMemory {
  readonly #live = new Map<Address, number>();

  override malloc(size: number): Address {
    return this.#enter(super.malloc(size), size);
  }

  override free(address: Address, size: number): void {
    if (address !== NULL) this.#require("free", address, size);
    super.free(address, size);
    this.#live.delete(address);
  }

  override calloc(count: number, size: number): Address {
    return this.#enter(super.calloc(count, size), count * size);
  }

  override realloc(address: Address, oldSize: number, size: number): Address {
    if (address !== NULL) this.#require("reallocate", address, oldSize);
    const moved = super.realloc(address, oldSize, size);
    this.#live.delete(address);
    return this.#enter(moved, size);
  }

  override alignedAlloc(alignment: number, size: number): Address {
    return this.#enter(super.alignedAlloc(alignment, size), size);
  }

  override usableSize(address: Address): number {
    this.#require("measure", address, this.#live.get(address));
    return super.usableSize(address);
  }

  override statistics(): CachedStatistics {
    return { ...super.statistics(), live: this.#live.size };
  }

  #enter(address: Address, size: number): Address {
    this.#live.set(address, size);
    return address;
  }

  #require(action: string, address: Address, size: number | undefined): void {
    requireAddress(`${action} cached memory`, address);
    const known = this.#live.get(address);
    const at = hexadecimal(address);
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
