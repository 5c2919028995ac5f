/**
 * Runs a program of operations against an allocator and the model.
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import type { LeakReport, OpenOptions } from "../../../mod.ts";
import { ARENA_STEPS, leavePieces } from "./arenas.ts";
import { requireIntact, requireOver } from "./blocks.ts";
import { CELL_STEPS, freeCell, requireCell, requireMagazines } from "./cells.ts";
import type { Operation, Program } from "./operation.ts";
import { buryHeap, HEAP_STEPS } from "./heaps.ts";
import { BLOCK_STEPS, claim } from "./own-blocks.ts";
import { requireDetached, requirePattern } from "./pattern.ts";
import { claimAway, POOL_STEPS, requireClosed, settle } from "./pools.ts";
import { requireRefusal, type Steps, World } from "./world.ts";

/** Every operation. */
export const STEPS: Steps = {
  ...BLOCK_STEPS,
  ...CELL_STEPS,
  ...ARENA_STEPS,
  ...HEAP_STEPS,
  ...POOL_STEPS,
  // Blocks are held otherwise when the job that allocated them has ended.
  "another job": [2, async () => {
    await settle();
    return true;
  }],
  "everything is looked at": [1, (world) => {
    requireEverything(world);
    return true;
  }],
};

/** How often each operation was done. */
export type Tally = Map<string, number>;

/** What watches programs. */
export interface Watch {
  /** Counts what was done. */
  readonly tally: Tally;
  /** Whether each operation is printed. */
  readonly trace: boolean;
  /** Told of a difference before what is left of the program is given back. */
  readonly onDifference: (error: unknown) => void;
}

/** Runs a program, and ends all that it leaves. */
export async function runProgram(
  options: OpenOptions,
  program: Program,
  { tally, trace, onDifference }: Watch,
): Promise<void> {
  const world = new World(options, program);
  try {
    for (const [index, operation] of program.operations.entries()) {
      // It has to be seen before the process can crash.
      if (trace) writeSync(2, `${index} ${JSON.stringify(operation)}\n`);
      await perform(world, operation, tally);
    }
    requireEverything(world);
    await close(world, program);
  } catch (error) {
    onDifference(error);
    abandon(world);
    throw error;
  }
}

async function perform(world: World, operation: Operation, tally: Tally): Promise<void> {
  const { kind } = operation;
  const step = STEPS[kind]?.[1];
  assert.ok(step !== undefined, kind);
  const outcome = step(world, operation);
  const done = typeof outcome === "boolean" ? outcome : await outcome;
  world.requireAccount();
  if (done) tally.set(kind, (tally.get(kind) ?? 0) + 1);
}

/** Every piece is its own still. */
function requireEverything(world: World): void {
  for (const { blocks } of [world.own, ...world.heaps]) blocks.forEach(requireIntact);
  world.cells.forEach(requireCell);
  for (const { bytes, id, size } of world.arenas.flatMap(({ pieces }) => pieces)) {
    requirePattern(bytes, id, size, `allocation ${id} of an arena`);
  }
  for (const { bytes, id, size } of world.pools.flatMap(({ leases }) => leases)) {
    requirePattern(bytes, id, size, `lease ${id}`);
  }
  requireMagazines(world);
}

function compareReports(a: LeakReport, b: LeakReport): number {
  return a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : a.size - b.size;
}

/** What close() has to report. */
function openReports({ memory, own, heaps, arenas, pools }: World): LeakReport[] {
  const common = { allocator: memory.name, noticed: "closed", stack: null } as const;
  const reports: LeakReport[] = [
    ...own.blocks.map(({ size }) => ({ kind: "block", size, ...common } as const)),
    ...arenas.map(({ capacity: size }) => ({ kind: "arena", size, ...common } as const)),
    ...heaps.map(({ blocks }) => {
      const size = blocks.reduce((sum, { size }) => sum + size, 0);
      return { kind: "heap", size, ...common } as const;
    }),
    ...pools.flatMap(({ leases }) =>
      leases.map(({ size }) => ({ kind: "pool block", size, ...common } as const))
    ),
  ];
  return reports.sort(compareReports);
}

/** Closes the allocator: it reports exactly what is open, and ends it. */
async function close(world: World, { leaks }: Program): Promise<void> {
  const { memory, cells, tickets, own, heaps, arenas, pools, ranges } = world;
  for (const cell of [...cells]) freeCell(world, cell);
  while (tickets.length > 0) claim(world, 0);
  for (const pool of pools) claimAway(world, pool);
  world.requireAccount();
  const wanted = openReports(world);
  const reports = memory.close();
  const found = reports.map((report) => ({ ...report, stack: null })).sort(compareReports);
  assert.deepEqual(found, wanted, "what was open");
  assert.deepEqual(world.leaks, leaks === "off" ? [] : reports, "what onLeak was given");
  if (leaks === "all") assert.ok(reports.every(({ stack }) => stack !== null), "stacks");
  for (const { block, id, address, views } of own.blocks) {
    requireDetached(views, `block ${id} of a closed allocator`);
    requireOver(block);
    ranges.remove(address);
  }
  for (const heap of heaps) buryHeap(world, heap);
  for (const { pieces } of arenas) leavePieces(world, pieces);
  for (const pool of pools) await requireClosed(world, pool);
  world.account.add(-world.account.blocks, -world.account.bytes);
  world.requireAccount();
  const uses = [
    () => memory.allocate(1),
    () => memory.arena(),
    () => memory.collect(),
    () => memory.raw.malloc(1),
    () => memory.cached.malloc(1),
    () => memory.close(),
  ];
  for (const use of uses) requireRefusal("ClosedError", undefined, use);
}

/** Gives back what a program that has failed has left, so that others may be tried after it. */
function abandon(world: World): void {
  const { memory, cells, tickets, pools } = world;
  try {
    const away = pools.flatMap((pool) => pool.away);
    for (const { handle } of [...tickets, ...away]) memory.claim(handle);
    for (const { via, address, size } of cells) {
      if (via === "raw") memory.raw.free(address);
      else memory.cached.free(address, size);
    }
    memory[Symbol.dispose]();
  } catch {
    // What has failed first is what is reported.
  }
}
