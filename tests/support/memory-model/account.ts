/**
 * What an allocator has to count.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { AllocatorStatistics } from "../../../mod.ts";

/** What the allocator's statistics have to be, by the same names. */
export class Account {
  blocks: number;
  bytes: number;
  peakBytes: number;
  allocations: number;

  /** Begins with those of an allocator that was just opened. */
  constructor({ blocks, bytes, peakBytes, allocations }: AllocatorStatistics) {
    assert.deepEqual([blocks, bytes], [0, 0], "a fresh allocator");
    this.blocks = blocks;
    this.bytes = bytes;
    this.peakBytes = peakBytes;
    this.allocations = allocations;
  }

  /** Blocks came, or went, and how many of them are new. */
  add(blocks: number, bytes: number, allocations = Math.max(0, blocks)): void {
    this.blocks += blocks;
    this.bytes += bytes;
    this.allocations += allocations;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
  }
}
