/**
 * Operations on the allocator's own blocks.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Address } from "../../../mod.ts";
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
} from "./blocks.ts";
import { pickFrom, requireRefusal, type Steps, takeFrom, type World } from "./world.ts";

/** Operations on the allocator's own blocks. */
export const BLOCK_STEPS: Steps = {
  "allocate": [18, (world, operation) => allocate(world, world.own, operation)],
  "allocateFrom, bytes": [3, (world, operation) => allocateFromBytes(world, world.own, operation)],
  "allocateFrom, text": [2, (world, operation) => allocateFromString(world, world.own, operation)],
  "reallocate": [10, (world, operation) => {
    return reallocate(world, world.own, pickFrom(world.own.blocks, operation.pick), operation);
  }],
  "free": [8, (world, operation) => {
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
  "hold": [2, async (world, operation) => {
    const held = pickFrom(world.own.blocks, operation.pick);
    if (held === undefined) return false;
    const { block, address, size } = held;
    let end = (): void => {};
    const result = block.hold(new Promise<void>((resolve) => end = resolve));
    const uses = [
      () => block.release(),
      () => block.transfer(),
      () => world.memory.reallocate(block, size + 1),
    ];
    for (const use of uses) requireRefusal("BlockError", "held", use);
    requireIntact(held);
    if (operation.flag) {
      free(world, world.own, held, operation);
      // Its memory is nobody's before the end.
      const others = Array.from({ length: 4 }, () => world.memory.raw.malloc(size));
      assert.ok(!others.includes(address), "memory that a call uses was given out");
      for (const other of others) world.memory.raw.free(other);
    }
    end();
    await result;
    if (!operation.flag) requireIntact(held);
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
    if (world.knows(address)) assert.ok(memory.owns(address), `block ${held.id} is not owned`);
    assert.ok(block.usableSize >= held.size);
    if (world.own.blocks.includes(held)) assert.equal(memory.usableSize(block), block.usableSize);
    assert.ok(!memory.owns(pick as Address), "an address below every page is owned");
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
