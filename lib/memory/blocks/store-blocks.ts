/**
 * The blocks of a store, as allocators and heaps offer them.
 *
 * @module
 */
import type { Address } from "../../../ffi/types.ts";
import type { BlockAllocator, ReallocateOptions } from "../api/block-allocator.ts";
import type { AllocateFromOptions, AllocateOptions, Block } from "../api/block.ts";
import { cStringLength } from "../c-string.ts";
import { allocateBlock, allocateBlockFrom, ownBlock, reallocateBlock } from "./block.ts";
import type { Store } from "./store.ts";

/** What has blocks of a store. */
export class StoreBlocks implements BlockAllocator {
  readonly #store: Store;

  /** Offers the blocks of a store. */
  constructor(store: Store) {
    this.#store = store;
  }

  allocate(size: number, options?: AllocateOptions): Block {
    return allocateBlock(this.#store, this.allocate, size, options);
  }

  allocateFrom(
    data: string | ArrayBufferView | ArrayBufferLike,
    options?: AllocateFromOptions,
  ): Block {
    return allocateBlockFrom(this.#store, this.allocateFrom, data, options);
  }

  blockFrom(address: Address, options?: AllocateOptions): Block {
    const size = cStringLength(address) + 1;
    const block = allocateBlock(this.#store, this.blockFrom, size, options);
    this.#store.calls.offheap_move(block.address, address, size);
    return block;
  }

  reallocate(block: Block, size: number, options?: ReallocateOptions): Block {
    return reallocateBlock(this.#store, block, size, options);
  }

  free(block: Block): void {
    ownBlock(this.#store, "free a block", block).free();
  }
}
