/**
 * Operations on arenas.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dataFor, textFor } from "./blocks.ts";
import type { Operation } from "./operation.ts";
import { pattern, requireBytes, requireDetached, requirePattern, requireZeros } from "./pattern.ts";
import {
  type ArenaPiece,
  type HeldArena,
  pickFrom,
  requireRefusal,
  type Steps,
  takeFrom,
  type World,
} from "./world.ts";

const TYPES = [
  Uint8Array,
  Float64Array,
  Int16Array,
  BigUint64Array,
  DataView,
  Float32Array,
] as const;

/** An operation on one of the arenas. */
function inArena(
  use: (world: World, held: HeldArena, operation: Operation) => boolean,
): (world: World, operation: Operation) => boolean {
  return (world, operation) => {
    const held = pickFrom(world.arenas, operation.pick);
    if (held === undefined || !use(world, held, operation)) return false;
    settle(world, held);
    return true;
  };
}

/** An arena's chunks count as blocks; each allocation takes one at most. */
function settle(world: World, held: HeldArena): void {
  const { chunks, capacity, used, allocations, peak } = held.arena.statistics();
  world.account.add(chunks - held.chunks, capacity - held.capacity);
  held.chunks = chunks;
  held.capacity = capacity;
  held.peak = Math.max(held.peak, used);
  assert.equal(allocations, held.pieces.length, "allocations of an arena");
  assert.equal(peak, held.peak, "the peak of an arena");
  const wanted = held.pieces.reduce((sum, { size }) => sum + size, 0);
  assert.ok(wanted <= used && used <= capacity, `${wanted} of ${used} of ${capacity} bytes`);
}

/** Enters what an arena has given out, and fills it unless it has its pattern. */
function enter(
  world: World,
  { arena, pieces }: HeldArena,
  view: ArrayBufferView,
  alignment: number,
): true {
  const { buffer, byteOffset, byteLength: size } = view;
  assert.ok(buffer instanceof ArrayBuffer);
  const id = world.nextId();
  const address = arena.addressOf(view);
  assert.equal(
    address % alignment,
    0,
    `an allocation at 0x${address.toString(16)} of ${alignment}`,
  );
  if (size > 0) world.ranges.add(address, size, `allocation ${id} of an arena`);
  const bytes = new Uint8Array(buffer, byteOffset, size);
  bytes.set(pattern(id, size));
  pieces.push({ id, address, size, view, bytes });
  return true;
}

function requirePiece({ bytes, id, size }: ArenaPiece): void {
  requirePattern(bytes, id, size, `allocation ${id} of an arena`);
}

/** All that an arena has given out after the first so many is checked, and then ended. */
function end(world: World, held: HeldArena, kept: number, how: () => void): void {
  const { arena, pieces } = held;
  pieces.forEach(requirePiece);
  how();
  const ended = pieces.splice(kept);
  leavePieces(world, ended);
  const last = ended.at(-1);
  if (last !== undefined) requireRefusal("BlockError", "foreign", () => arena.addressOf(last.view));
  pieces.forEach(requirePiece);
}

/** Allocations have ended. */
export function leavePieces(world: World, pieces: readonly ArenaPiece[]): void {
  for (const { id, address, size, view, bytes } of pieces) {
    requireDetached([view, bytes], `allocation ${id} of an arena`);
    if (size > 0) world.ranges.remove(address);
  }
}

/** Ends the marks after the first so many. */
function endMarks({ marks, stale }: HeldArena, kept: number): void {
  stale.push(...marks.splice(kept).map(({ mark }) => mark));
  stale.splice(0, stale.length - 8);
}

/** Operations on arenas. */
export const ARENA_STEPS: Steps = {
  "arena": [2, (world, { pick, size }) => {
    if (world.arenas.length > 3 || !world.hasRoom(MAX_CHUNK)) return false;
    const chunkSize = (1024 << pick % 8) + (pick % 2 === 0 ? 0 : size % 1000);
    const arena = world.memory.arena(pick % 5 === 0 ? {} : { chunkSize });
    world.arenas.push({ arena, pieces: [], marks: [], stale: [], chunks: 0, capacity: 0, peak: 0 });
    return true;
  }],
  "arena.allocate": [
    10,
    inArena((world, held, { size, alignment, pick, flag }) => {
      if (!world.hasRoom(MAX_CHUNK)) return false;
      if (pick % 2 === 1) return enter(world, held, held.arena.allocate(size), 8);
      const view = held.arena.allocate(size, { alignment, zeroed: flag });
      if (flag) requireZeros(view, 0, "a zeroed allocation of an arena");
      return enter(world, held, view, alignment);
    }),
  ],
  "arena.allocate, what is left": [
    1,
    inArena((world, held, { size, pick }) => {
      // The ends of chunks are where a position could be off by one.
      const { capacity, used } = held.arena.statistics();
      const left = Math.max(0, capacity - used - (pick % 3) + 1);
      if (!world.hasRoom(MAX_CHUNK)) return false;
      return enter(world, held, held.arena.allocate(left > MAX_LEFT ? size : left), 8);
    }),
  ],
  "arena.view": [
    5,
    inArena((world, held, { size, alignment, pick, flag }) => {
      if (!world.hasRoom(MAX_CHUNK)) return false;
      const Type = TYPES[pick % TYPES.length] ?? DataView;
      const element = "BYTES_PER_ELEMENT" in Type ? Type.BYTES_PER_ELEMENT : 1;
      const length = Math.floor(size / element);
      const view = flag
        ? held.arena.view(Type, length, { alignment })
        : held.arena.view(Type, length);
      assert.ok(view instanceof Type);
      assert.equal(view.byteLength, length * element);
      return enter(world, held, view, flag ? Math.max(alignment, element) : element);
    }),
  ],
  "arena.allocateFrom": [
    3,
    inArena((world, held, { size, alignment, pick, flag }) => {
      if (!world.hasRoom(MAX_CHUNK)) return false;
      const text = textFor(pick);
      const bytes = flag ? new TextEncoder().encode(text) : pattern(world.nextId(), size);
      const data = flag ? text : dataFor(bytes, pick);
      if (pick % 2 === 0) {
        const view = held.arena.allocateFrom(data);
        requireBytes(view, bytes, "a copy in an arena");
        return enter(world, held, view, 8);
      }
      const view = held.arena.allocateFrom(data, { alignment, terminated: true });
      requireBytes(view.subarray(0, -1), bytes, "a string in an arena");
      assert.equal(view.at(-1), 0, "the end of a string");
      return enter(world, held, view, alignment);
    }),
  ],
  "arena.mark": [
    3,
    inArena((_world, held) => {
      const { arena, marks, pieces } = held;
      const mark = arena.mark();
      assert.equal(mark.used, arena.statistics().used);
      marks.push({ mark, pieces: pieces.length });
      return true;
    }),
  ],
  "arena.rewind": [
    2,
    inArena((world, held, { pick }) => {
      const { arena, marks } = held;
      const found = pickFrom(marks, pick);
      if (found === undefined) return false;
      const { mark, pieces } = found;
      end(world, held, pieces, () => arena.rewind(mark));
      assert.equal(arena.statistics().used, mark.used);
      endMarks(held, marks.indexOf(found) + 1);
      return true;
    }),
  ],
  "arena.rewind, to an ended mark": [
    1,
    inArena((_world, { arena, stale, pieces }, { pick }) => {
      const mark = pickFrom(stale, pick);
      if (mark === undefined) return false;
      requireRefusal("BlockError", "stale", () => arena.rewind(mark));
      pieces.forEach(requirePiece);
      return true;
    }),
  ],
  "arena.reset": [
    1,
    inArena((world, held) => {
      end(world, held, 0, () => held.arena.reset());
      endMarks(held, 0);
      assert.equal(held.arena.statistics().used, 0);
      return true;
    }),
  ],
  "arena.free": [1, (world, { pick }) => {
    const held = takeFrom(world.arenas, pick);
    if (held === undefined) return false;
    const { arena, chunks, capacity } = held;
    end(world, held, 0, () => arena.free());
    world.account.add(-chunks, -capacity);
    requireRefusal("ClosedError", undefined, () => arena.allocate(1));
    requireRefusal("ClosedError", undefined, () => arena.mark());
    requireRefusal("ClosedError", undefined, () => arena.free());
    return true;
  }],
};

/** The largest chunk that an arena here grows by, with room for a single allocation. */
const MAX_CHUNK: number = 3 * 2 ** 19;

/** What is left of a chunk is allocated up to this size. */
const MAX_LEFT: number = 128 * 1024;
