/**
 * Operations on memory by its address: the C functions, and the same through magazines.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ffi } from "../../../ffi/mod.ts";
import { type Address, borrow } from "../../../mod.ts";
import { enterBlock } from "./blocks.ts";
import type { Operation } from "./operation.ts";
import { pattern, requireDetached, requirePattern, requireZeros } from "./pattern.ts";
import { type Cell, pickFrom, requireRefusal, type Step, type Steps, type World } from "./world.ts";

type Via = Cell["via"];

/** So much may wait in magazines, in bytes. */
const MAX_WAITING: number = 2 * 2 ** 20;

/** Looks at memory by its address. */
function withBytes(address: Address, size: number, use: (bytes: Uint8Array) => void): void {
  if (size === 0) return;
  const buffer = ffi().wrap(address, size);
  try {
    use(new Uint8Array(buffer));
  } finally {
    buffer.transfer(0);
  }
}

/** Memory is a cell's own still. */
export function requireCell({ id, address, size, via }: Cell): void {
  withBytes(address, size, (bytes) => requirePattern(bytes, id, size, `${via} memory ${id}`));
}

/** Enters memory that has come, and fills it. */
function enter(world: World, cell: Cell, alignment: number): true {
  const { via, id, address, size } = cell;
  assert.notEqual(address, 0);
  assert.equal(
    address % alignment,
    0,
    `${via} memory at 0x${address.toString(16)} of ${alignment}`,
  );
  const usable = world.memory[via].usableSize(address);
  assert.ok(usable >= size, `${usable} bytes are usable of ${size}`);
  world.ranges.add(address, Math.max(1, usable), `${via} memory ${id}`);
  withBytes(address, size, (bytes) => bytes.set(pattern(id, size)));
  world.uncounted += size;
  world.cells.push(cell);
  return true;
}

/** Takes memory out. */
function leave(world: World, cell: Cell): void {
  world.cells.splice(world.cells.indexOf(cell), 1);
  world.ranges.remove(cell.address);
  world.uncounted -= cell.size;
}

/** What C's malloc promises of an address. */
function leastAlignment(via: Via, size: number): number {
  return via === "raw" && size < 16 ? 8 : 16;
}

function malloc(via: Via): Step {
  return (world, { size }) => {
    if (!world.hasRoom(size)) return false;
    const address = world.memory[via].malloc(size);
    return enter(world, { via, id: world.nextId(), address, size }, leastAlignment(via, size));
  };
}

function calloc(via: Via): Step {
  return (world, operation) => {
    const count = operation.pick % 5;
    const each = Math.floor(operation.size / Math.max(1, count));
    const size = count * each;
    if (!world.hasRoom(size)) return false;
    const address = world.memory[via].calloc(count, each);
    withBytes(address, size, (bytes) => requireZeros(bytes, 0, `${via}.calloc(${count}, ${each})`));
    return enter(world, { via, id: world.nextId(), address, size }, leastAlignment(via, size));
  };
}

function alignedAlloc(via: Via): Step {
  return (world, { alignment, size }) => {
    if (!world.hasRoom(size)) return false;
    // C's aligned_alloc takes no alignment below that of a pointer everywhere.
    const least = via === "raw" ? Math.max(8, alignment) : alignment;
    const address = world.memory[via].alignedAlloc(least, size);
    return enter(world, { via, id: world.nextId(), address, size }, least);
  };
}

function realloc(via: Via): Step {
  return (world, operation) => {
    const cell = pickCell(world, via, operation);
    // What C's realloc does with a size of 0 is the allocator's own affair.
    const size = via === "raw" ? Math.max(1, operation.size) : operation.size;
    if (cell === undefined || !world.hasRoom(size)) return false;
    requireCell(cell);
    const { memory } = world;
    const address = via === "raw"
      ? memory.raw.realloc(cell.address, size)
      : memory.cached.realloc(cell.address, cell.size, size);
    leave(world, cell);
    const kept = Math.min(cell.size, size);
    const what = `${via} memory ${cell.id}, resized,`;
    withBytes(address, kept, (bytes) => requirePattern(bytes, cell.id, kept, what));
    return enter(world, { via, id: world.nextId(), address, size }, leastAlignment(via, size));
  };
}

/** Frees a cell. */
export function freeCell(world: World, cell: Cell): void {
  const { memory } = world;
  requireCell(cell);
  if (cell.via === "raw") memory.raw.free(cell.address);
  else memory.cached.free(cell.address, cell.size);
  leave(world, cell);
}

function free(via: Via): Step {
  return (world, operation) => {
    const cell = pickCell(world, via, operation);
    if (cell === undefined) return false;
    freeCell(world, cell);
    return true;
  };
}

function pickCell(world: World, via: Via, { pick }: Operation): Cell | undefined {
  return pickFrom(world.cells.filter((cell) => cell.via === via), pick);
}

/** A cell of raw memory becomes a block: one that was released, or that C code has allocated. */
const adopt: Step = (world, operation) => {
  const { memory } = world;
  const cell = pickCell(world, "raw", operation);
  if (cell === undefined || !world.knows(cell.address)) return false;
  const { address, id, size } = cell;
  requireCell(cell);
  const usable = memory.raw.usableSize(address);
  requireRefusal("RangeError", undefined, () => memory.adopt(address, usable + 1));
  const block = memory.adopt(address, size);
  leave(world, cell);
  world.account.add(1, size);
  enterBlock(world, world.own, block, { size, alignment: leastAlignment("raw", size), id });
  requirePattern(block.bytes, id, size, "an adopted block");
  requireRefusal("BlockError", "in use", () => memory.adopt(address, size));
  return true;
};

/** A cell is looked at, and becomes a block with a function that frees it, which is released. */
const adoptWithFree: Step = (world, operation) => {
  const { memory } = world;
  const cell = pickCell(world, "raw", operation);
  if (cell === undefined) return false;
  const { address, id, size } = cell;
  const borrowed = borrow(address, size);
  const { bytes } = borrowed;
  requirePattern(bytes, id, size, "borrowed memory");
  borrowed.end();
  requireDetached([bytes], "borrowed memory");
  const block = memory.adopt(address, size, { free: memory.functions.free });
  world.account.add(1, size);
  requirePattern(block.bytes, id, size, "an adopted block");
  assert.equal(block.usableSize, size);
  requireRefusal("BlockError", "foreign", () => memory.reallocate(block, size + 1));
  assert.equal(block.release(), address);
  world.account.add(-1, -size);
  requireCell(cell);
  return true;
};

/** Checked memory refuses what is not in use, and another size than it was allocated with. */
const misuse: Step = (world, operation) => {
  const { cached } = world.memory;
  const cell = pickCell(world, "cached", operation);
  if (!world.debug || cell === undefined) return false;
  const { address, size } = cell;
  const next = address + 1 as Address;
  requireRefusal("BlockError", "size", () => cached.free(address, size + 1));
  requireRefusal("BlockError", "size", () => cached.realloc(address, size + 1, 10));
  requireRefusal("BlockError", "freed", () => cached.free(next, size));
  requireRefusal("BlockError", "freed", () => cached.usableSize(next));
  freeCell(world, cell);
  requireRefusal("BlockError", "freed", () => cached.free(address, size));
  requireRefusal("BlockError", "freed", () => cached.realloc(address, size, size));
  return true;
};

/** The magazines hold no more than they may, and debug mode knows what is in use. */
export function requireMagazines(world: World): void {
  const { bytes, live } = world.memory.cached.statistics();
  assert.ok(bytes <= MAX_WAITING, `${bytes} bytes wait in magazines`);
  const cells = world.cells.filter(({ via }) => via === "cached");
  assert.equal(live, world.debug ? cells.length : null);
}

/** Operations on memory by its address. */
export const CELL_STEPS: Steps = {
  "cached.malloc": [12, malloc("cached")],
  "cached.calloc": [4, calloc("cached")],
  "cached.alignedAlloc": [3, alignedAlloc("cached")],
  "cached.realloc": [6, realloc("cached")],
  "cached.free": [8, free("cached")],
  "cached, misused": [2, misuse],
  "raw.malloc": [5, malloc("raw")],
  "raw.calloc": [2, calloc("raw")],
  "raw.alignedAlloc": [2, alignedAlloc("raw")],
  "raw.realloc": [4, realloc("raw")],
  "raw.free": [4, free("raw")],
  "adopt": [3, adopt],
  "borrow, and adopt with a free function": [2, adoptWithFree],
  "collect": [1, (world) => {
    world.memory.collect();
    requireMagazines(world);
    assert.equal(world.memory.cached.statistics().blocks, 0);
    return true;
  }],
};
