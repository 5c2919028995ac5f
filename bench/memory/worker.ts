/**
 * One worker of workers.ts: warms up, waits for the gate to open, works, and reports how much.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import type { BuiltAllocator } from "../../lib/allocators/mod.ts";
import { openAllocator } from "../../mod.ts";
import { directCalls } from "./direct.ts";
import * as loops from "./loops.ts";
import { fresh, type Loop, sideOf } from "./measure.ts";

/** What a worker can do. */
export type WorkKind = "raw" | "cached" | "block" | "direct" | "array";

/** What it is to do. */
export interface Order {
  readonly kind: WorkKind;
  readonly size: number;
  readonly allocator: string;
  /** Becomes 1 when all are to start. */
  readonly gate: Int32Array;
  /** Milliseconds. */
  readonly warmUp: number;
  /** Milliseconds. */
  readonly work: number;
}

/** What it has done. */
export interface Outcome {
  readonly operations: number;
  /** Nanoseconds. */
  readonly spent: number;
}

const { kind, size, allocator, gate, warmUp, work } = workerData as Order;
const memory = openAllocator({ allocator: allocator as BuiltAllocator });

/** The fastest by a short trial. */
function fastestDirect(): Loop {
  const trials = directCalls(memory.name, memory.library?.path ?? "").map((direct) => {
    const loop = fresh(loops.directPairs)(direct.malloc, direct.free, direct.sizeOf(size));
    const { time } = sideOf(direct.name, loop);
    for (let i = 0; i < 50; i++) time(1000);
    return { loop, spent: time(10_000) };
  });
  const best = trials.sort((a, b) => a.spent - b.spent)[0];
  if (best === undefined) throw new RangeError("Cannot measure: there are no direct calls");
  return best.loop;
}

const LOOPS: Readonly<Record<WorkKind, () => Loop>> = {
  raw: () => fresh(loops.rawPairs)(memory.raw, size),
  cached: () => fresh(loops.cachedPairs)(memory.cached, size),
  block: () => fresh(loops.blocks)(memory, size),
  direct: fastestDirect,
  array: () => fresh(loops.typedArrays)(size),
};

const { time } = sideOf(kind, LOOPS[kind]());
let turn = 1;
for (let spent = 0; spent < warmUp * 1e6;) {
  const last = time(turn);
  spent += last;
  if (last < 5e5) turn *= 2;
}
parentPort?.postMessage("ready");
Atomics.wait(gate, 0, 0);
let operations = 0;
const start = performance.now();
while (performance.now() - start < work) {
  time(turn);
  operations += turn;
}
parentPort?.postMessage({ operations, spent: (performance.now() - start) * 1e6 } satisfies Outcome);
