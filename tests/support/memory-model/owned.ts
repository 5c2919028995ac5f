/**
 * Operations on the allocator's own blocks, and on those of its heaps.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  allocate,
  allocateFromBytes,
  allocateFromString,
  enterBlock,
  free,
  leaveBlock,
  misuse,
  reallocate,
  requireIntact,
  requireOver,
} from "./blocks.ts";
import type { Operation } from "./operation.ts";
import { requireDetached } from "./pattern.ts";
import {
  type HeldHeap,
  type Owner,
  pickFrom,
  requireRefusal,
  type Steps,
  takeFrom,
  type World,
} from "./world.ts";

/** Operations on the allocator's own blocks. */
export const BLOCK_STEPS: Steps = {
  "allocate": [14, (world, operation) => allocate(world, world.own, operation)],
  "allocateFrom, bytes": [3, (world, operation) => allocateFromBytes(world, world.own, operation)],
  "allocateFrom, text": [2, (world, operation) => allocateFromString(world, world.own, operation)],
  "reallocate": [10, (world, operation) => {
    return reallocate(world, world.own, pickFrom(world.own.blocks, operation.pick), operation);
  }],
  "free": [12, (world, operation) => {
    return free(world, world.own, pickFrom(world.own.blocks, operation.pick), operation);
  }],
  "an ended block, misused": [2, (world, { pick }) => {
    const ended = pickFrom(world.ended, pick);
    if (ended !== undefined) misuse(world, ended);
    return ended !== undefined;
  }],
  "release": [3, (world, { pick }) => {
    const held = pickFrom(world.own.blocks, pick);
    if (held === undefined) return false;
    const { block, id, address, size } = held;
    requireIntact(held);
    assert.equal(block.release(), address);
    world.account.add(-1, -size);
    world.uncounted += size;
    leaveBlock(world.own, held);
    world.bury(block, "released");
    world.cells.push({ via: "raw", id, address, size });
    return true;
  }],
  "transfer": [3, (world, { pick }) => {
    const held = pickFrom(world.own.blocks, pick);
    if (held === undefined) return false;
    const { block, id, address, size, alignment } = held;
    requireIntact(held);
    // As a message to another thread copies it.
    const handle = structuredClone(block.transfer());
    assert.equal(handle.size, size);
    world.account.add(-1, -size);
    world.uncounted += size;
    leaveBlock(world.own, held);
    world.bury(block, "transferred");
    world.tickets.push({ handle, id, address, size, alignment });
    return true;
  }],
  "claim": [3, (world, { pick }) => claim(world, pick)],
  "ask for sizes and owners": [2, (world, { pick, size }) => {
    const { memory } = world;
    const held = pickFrom([world.own, ...world.heaps].flatMap(({ blocks }) => blocks), pick);
    assert.ok(memory.goodSize(size) >= size);
    if (held === undefined) return true;
    const { block, address } = held;
    assert.ok(memory.owns(address), `block ${held.id} is not owned`);
    assert.ok(block.usableSize >= held.size);
    if (world.own.blocks.includes(held)) assert.equal(memory.usableSize(block), block.usableSize);
    assert.ok(!memory.owns(pick as typeof address), "an address below every page");
    return true;
  }],
};

/** Claims a block, once. */
export function claim(world: World, pick: number): boolean {
  const ticket = takeFrom(world.tickets, pick);
  if (ticket === undefined) return false;
  const { memory } = world;
  const { handle, id, address, size, alignment } = ticket;
  const block = memory.claim(handle);
  world.ranges.remove(address);
  world.account.add(1, size);
  world.uncounted -= size;
  assert.equal(block.address, address);
  enterBlock(world, world.own, block, { size, alignment, id });
  requireIntact({ block, id, address, size, alignment, views: [] });
  requireRefusal("BlockError", "claimed", () => memory.claim(handle));
  return true;
}

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
    held: HeldHeap["blocks"][number],
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
  "heap.allocate": [8, inHeap(allocate)],
  "heap.allocateFrom, bytes": [2, inHeap(allocateFromBytes)],
  "heap.allocateFrom, text": [1, inHeap(allocateFromString)],
  "heap.reallocate": [5, inHeapBlock(reallocate)],
  "heap.free": [6, inHeapBlock(free)],
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
