/**
 * Operations on heaps.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  allocate,
  allocateFromBytes,
  allocateFromString,
  free,
  reallocate,
  requireIntact,
  requireOver,
} from "./blocks.ts";
import type { Operation } from "./operation.ts";
import { requireDetached } from "./pattern.ts";
import {
  type HeldBlock,
  type HeldHeap,
  type Owner,
  pickFrom,
  requireRefusal,
  type Steps,
  takeFrom,
  type World,
} from "./world.ts";

/** An operation in one of the heaps. */
function inHeap(
  use: (world: World, heap: HeldHeap, operation: Operation) => boolean,
): (world: World, operation: Operation) => boolean {
  return (world, operation) => {
    const heap = pickFrom(world.heaps, operation.pick);
    return heap !== undefined && use(world, heap, operation);
  };
}

/** An operation on one of the blocks in heaps. */
function inHeapBlock(
  use: (
    world: World,
    owner: Owner,
    held: HeldBlock,
    operation: Operation,
  ) => boolean,
): (world: World, operation: Operation) => boolean {
  return inHeap((world, heap, operation) => {
    const held = pickFrom(heap.blocks, Math.floor(operation.pick / 3));
    return held !== undefined && use(world, heap, held, operation);
  });
}

/** What the heap itself counts covers what is in it. */
function requireHeapStatistics({ source, blocks }: HeldHeap): void {
  const { allocated, resident, mapped, blocks: count } = source.statistics();
  const wanted = blocks.reduce((sum, { size }) => sum + size, 0);
  assert.equal(count, blocks.length);
  assert.ok(allocated >= wanted, `a heap with ${wanted} bytes counts ${allocated}`);
  assert.ok(mapped >= wanted && resident >= wanted, `${resident} of ${mapped} for ${wanted}`);
}

/** All blocks of a heap have ended with it. */
export function buryHeap(world: World, { blocks }: HeldHeap): void {
  for (const { block, id, address, views } of blocks) {
    requireDetached(views, `block ${id} of a heap`);
    requireOver(block);
    world.ranges.remove(address);
    world.bury(block, "freed");
  }
}

/** Operations on heaps. */
export const HEAP_STEPS: Steps = {
  "heap": [2, (world) => {
    if (world.heaps.length > 2) return false;
    world.heaps.push({ source: world.memory.heap(), blocks: [] });
    return true;
  }],
  "heap.allocate": [10, inHeap(allocate)],
  "heap.allocateFrom, bytes": [2, inHeap(allocateFromBytes)],
  "heap.allocateFrom, text": [1, inHeap(allocateFromString)],
  "heap.reallocate": [5, inHeapBlock(reallocate)],
  "heap.free": [5, inHeapBlock(free)],
  "heap.statistics": [
    1,
    inHeap((_world, heap) => {
      requireHeapStatistics(heap);
      return true;
    }),
  ],
  "a heap's block, misused": [
    1,
    inHeapBlock((world, _heap, held) => {
      const { block } = held;
      requireRefusal("BlockError", "heap", () => block.release());
      requireRefusal("BlockError", "heap", () => block.transfer());
      requireRefusal("BlockError", "foreign", () => world.memory.free(block));
      requireRefusal("BlockError", "foreign", () => world.memory.reallocate(block, 100));
      requireIntact(held);
      return true;
    }),
  ],
  "heap.destroy": [1, (world, { pick }) => {
    const heap = takeFrom(world.heaps, pick);
    if (heap === undefined) return false;
    heap.blocks.forEach(requireIntact);
    requireHeapStatistics(heap);
    heap.source.destroy();
    const bytes = heap.blocks.reduce((sum, { size }) => sum + size, 0);
    world.account.add(-heap.blocks.length, -bytes);
    buryHeap(world, heap);
    requireRefusal("ClosedError", undefined, () => heap.source.allocate(1));
    requireRefusal("ClosedError", undefined, () => heap.source.statistics());
    requireRefusal("ClosedError", undefined, () => heap.source.destroy());
    return true;
  }],
};
