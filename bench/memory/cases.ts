/**
 * The cases that have limits, and their relatives.
 *
 * @module
 */
import type { Allocator } from "../../mod.ts";
import type { RuntimeName } from "../../tools/runtimes.ts";
import { directCalls, loadKoffi } from "./direct.ts";
import * as loops from "./loops.ts";
import { compare, fresh, type Side, sideOf } from "./measure.ts";
import { nativeLoops } from "./native.ts";
import { type Effort, type Row, rowOf } from "./rows.ts";

/** What a case is measured with. */
export interface Context {
  readonly memory: Allocator;
  /** The path of the allocator's library. */
  readonly path: string;
  readonly runtime: RuntimeName;
  readonly effort: Effort;
}

/** A subject, and what it is compared with: the fastest of them. */
export interface Sides {
  readonly subject: Side;
  readonly baselines: readonly Side[];
}

/** One case. */
export interface Case {
  readonly name: string;
  /** Where it is measured; everywhere without it. */
  readonly runtimes?: readonly RuntimeName[];
  readonly measure: (context: Context) => Promise<Row[]>;
}

const LIVE = 1000;
const PICKS = 4096;
const MIN_SIZE = 16;
const MAX_SIZE = 1024;
const NODE: readonly RuntimeName[] = ["node26", "node22"];

/** The loops that call the FFI directly, one for each type of an address. */
function directSides({ memory, path }: Context, size: number): Side[] {
  return directCalls(memory.name, path).map(({ name, malloc, free, sizeOf }) =>
    sideOf(name, fresh(loops.directPairs)(malloc, free, sizeOf(size)))
  );
}

function cachedSide({ memory }: Context, size: number): Side {
  const loop = fresh(loops.cachedPairs)(memory.cached, size);
  return sideOf(`${memory.name}: cached.malloc + free`, loop);
}

function rawSide({ memory }: Context, size: number): Side {
  return sideOf(`${memory.name}: raw.malloc + free`, fresh(loops.rawPairs)(memory.raw, size));
}

function blockSide({ memory }: Context, size: number): Side {
  return sideOf(`${memory.name}: allocate + free`, fresh(loops.blocks)(memory, size));
}

function arraySide(size: number): Side {
  return sideOf(`new Uint8Array(${size})`, fresh(loops.typedArrays)(size));
}

/** Whole numbers from 0, the same in each run: xorshift. */
function randomInts(length: number, below: number, seed: number): Int32Array {
  let state = seed;
  return Int32Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  });
}

function churnSides({ memory, path }: Context): Sides {
  const picks = randomInts(PICKS, LIVE, 1);
  const sizes = randomInts(PICKS, MAX_SIZE - MIN_SIZE + 1, 2).map((more) => MIN_SIZE + more);
  const loop = fresh(loops.churn)(memory.cached, LIVE, picks, sizes);
  return {
    subject: sideOf(`${memory.name}: cached.free + malloc among ${LIVE}`, loop),
    baselines: [nativeLoops(memory.name, path).churn(LIVE, picks, sizes)],
  };
}

function poolSides({ memory }: Context, size: number): Sides {
  const loop = fresh(loops.leases)(memory.pool({ blockSize: size }), size);
  return {
    subject: sideOf(`${memory.name}: pool.acquire + release`, loop),
    baselines: [arraySide(size)],
  };
}

function arenaSides({ memory }: Context): Sides {
  const loop = fresh(loops.arenaViews)(memory.arena(), LIVE, 64);
  const baseline = fresh(loops.liveArrays)(LIVE, 64);
  return {
    subject: sideOf(`${memory.name}: ${LIVE} arena.allocate(64) + reset`, loop),
    baselines: [sideOf(`${LIVE} live new Uint8Array(64)`, baseline)],
  };
}

function koffiSide(): Side {
  return sideOf("koffi.alloc + koffi.free", fresh(loops.koffiPairs)(loadKoffi(), 1024));
}

/** The cases of the table by their names. */
const SIDES: Readonly<Record<string, (context: Context) => Sides>> = {
  "raw/malloc-free-64": (context) => ({
    subject: rawSide(context, 64),
    baselines: directSides(context, 64),
  }),
  "cached/malloc-free-64": (context) => ({
    subject: cachedSide(context, 64),
    baselines: directSides(context, 64),
  }),
  "cached/malloc-free-64/c": (context) => ({
    subject: cachedSide(context, 64),
    baselines: [nativeLoops(context.memory.name, context.path).pairs(64)],
  }),
  "cached/churn-1000": churnSides,
  "block/65536": (context) => ({
    subject: blockSide(context, 65_536),
    baselines: [arraySide(65_536)],
  }),
  "block/1048576": (context) => ({
    subject: blockSide(context, 1_048_576),
    baselines: [arraySide(1_048_576)],
  }),
  "pool/65536": (context) => poolSides(context, 65_536),
  "arena/64x1000": arenaSides,
  "arena/64x1000/views": (context) => ({
    subject: arenaSides(context).subject,
    baselines: [
      sideOf(`${LIVE} live views of an ArrayBuffer`, fresh(loops.bufferViews)(LIVE, 64)),
    ],
  }),
  "koffi/alloc-free-1024": (context) => ({
    subject: cachedSide(context, 1024),
    baselines: [koffiSide()],
  }),
  "koffi/alloc-free-1024/block": (context) => ({
    subject: blockSide(context, 1024),
    baselines: [koffiSide()],
  }),
};

/** The cases of the table. */
export const TABLE_CASES: readonly Case[] = Object.entries(SIDES).map(([name, sides]) => ({
  name,
  ...(name.startsWith("koffi/") ? { runtimes: NODE } : {}),
  async measure(context) {
    const { subject, baselines } = sides(context);
    const values = await compare(subject, baselines, context.effort);
    return [rowOf(name, context.runtime, "ns", values)];
  },
}));
