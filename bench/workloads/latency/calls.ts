/**
 * The calls whose latency is measured.
 *
 * The clock costs 40 to 100 ns. What takes much longer is sampled call by call, the clock's cost
 * within it. What does not is sampled in batches, whose mean counts: an outlier of one call is then
 * a batch's outlier, by a batch's share of it.
 *
 * @module
 */
import type { Allocator } from "../../../mod.ts";
import * as pairs from "../../memory/loops.ts";
import { fresh, keep, type Side, sideOf } from "../../memory/measure.ts";
import type { Scale } from "../support/program.ts";
import { frees, mallocs } from "./loops.ts";

/** A call that is ready: `time` gives the nanoseconds of so many calls. */
export interface Open extends Side {
  /** Frees what it works with. */
  close(): void;
}

/** One row: how a call is sampled. */
export interface Call {
  readonly name: string;
  /** Turns of the loop in a sample. */
  readonly batch: number;
  /** Calls in a turn of the loop. */
  readonly inTurn: number;
  /** Samples of each thread. */
  readonly samples: number;
  /** Turns of the loop before the first sample, until the compiler has done its work. */
  readonly warmUp: number;
  readonly open: (memory: Allocator) => Open;
}

type Effort = Pick<Call, "batch" | "samples" | "warmUp">;

/** How calls are sampled that take some ns, some tens, some hundreds, and a microsecond or more. */
const CACHED: Effort = { batch: 64, samples: 2000, warmUp: 500_000 };
const QUICK: Effort = { batch: 32, samples: 2000, warmUp: 100_000 };
const MIDDLE: Effort = { batch: 8, samples: 2000, warmUp: 50_000 };
const SLOW: Effort = { batch: 1, samples: 2000, warmUp: 10_000 };
const SLOWER: Effort = { batch: 1, samples: 1000, warmUp: 1000 };
/** Arrays whose pages are touched for the first time, and collected: 0.3 and 6 ms in V8. */
const ARRAY: Effort = { batch: 1, samples: 200, warmUp: 100 };
const LARGE_ARRAY: Effort = { batch: 1, samples: 50, warmUp: 10 };

/** What the numbers above are multiplied by. */
const EFFORTS: Readonly<Record<Scale, { readonly samples: number; readonly warmUp: number }>> = {
  test: { samples: 0.05, warmUp: 0.002 },
  quick: { samples: 1, warmUp: 1 },
  full: { samples: 10, warmUp: 4 },
};

const nothing = (): void => {};

function pairsOf(size: number): Call["open"] {
  return ({ raw }) => ({ ...sideOf("", fresh(pairs.rawPairs)(raw, size)), close: nothing });
}

/** Both halves; one of them is timed. */
function halvesOf(size: number, timed: "malloc" | "free"): Call["open"] {
  return ({ raw }) => {
    const table = new Float64Array(QUICK.batch);
    const malloc = sideOf("malloc", fresh(mallocs)(raw, size, table));
    const free = sideOf("free", fresh(frees)(raw, table));
    return {
      name: timed,
      time(count) {
        // A warm-up asks for more than the table holds.
        let spent = 0;
        for (let left = count; left > 0; left -= table.length) {
          const some = Math.min(left, table.length);
          const both = { malloc: malloc.time(some), free: 0 };
          if (table.subarray(0, some).includes(0)) {
            throw new RangeError(`Cannot measure: malloc(${size}) found no memory`);
          }
          both.free = free.time(some);
          spent += both[timed];
        }
        return spent;
      },
      close: nothing,
    };
  };
}

const ARENA_VIEWS = 64;

/** The reset is part of it: a view's share of it. */
function openArena(memory: Allocator): Open {
  const arena = memory.arena();
  return {
    ...sideOf("", fresh(pairs.arenaViews)(arena, ARENA_VIEWS, 64)),
    close: () => arena.free(),
  };
}

function openPool(memory: Allocator): Open {
  const pool = memory.pool({ blockSize: 65_536 });
  return { ...sideOf("", fresh(pairs.leases)(pool, 65_536)), close: () => pool.close() };
}

/** Sizes, how they are called, and how their calls are sampled in turn. */
const RAW: readonly (readonly [string, number, Effort])[] = [
  ["64 B", 64, QUICK],
  ["4 KiB", 4096, QUICK],
  ["64 KiB", 65_536, MIDDLE],
  ["1 MiB", 1_048_576, SLOW],
];
const BYTES: readonly (readonly [string, number, Effort, Effort])[] = [
  ["64 B", 64, SLOW, QUICK],
  ["64 KiB", 65_536, SLOW, ARRAY],
  ["1 MiB", 1_048_576, SLOWER, LARGE_ARRAY],
];

const ROWS: readonly (Omit<Call, "inTurn"> & { readonly inTurn?: number })[] = [
  ...RAW.flatMap(([title, size, effort]) => [
    { name: `malloc + free ${title}`, ...effort, open: pairsOf(size) },
    { name: `malloc ${title}`, ...effort, open: halvesOf(size, "malloc") },
    { name: `free ${title}`, ...effort, open: halvesOf(size, "free") },
  ]),
  {
    name: "cached malloc + free 64 B",
    ...CACHED,
    open: ({ cached }) => ({ ...sideOf("", fresh(pairs.cachedPairs)(cached, 64)), close: nothing }),
  },
  ...BYTES.flatMap(([title, size, block, array]): Omit<Call, "inTurn">[] => [
    {
      name: `block allocate + free ${title}`,
      ...block,
      open: (memory) => ({ ...sideOf("", fresh(pairs.blocks)(memory, size)), close: nothing }),
    },
    {
      name: `new Uint8Array ${title}`,
      ...array,
      open: () => ({ ...sideOf("", fresh(pairs.typedArrays)(size)), close: () => keep(null) }),
    },
  ]),
  { name: "arena allocate 64 B", ...SLOW, inTurn: ARENA_VIEWS, open: openArena },
  { name: "pool acquire + release 64 KiB", ...MIDDLE, open: openPool },
];

/** The calls at a scale. */
export function callsAt(scale: Scale): readonly Call[] {
  const { samples, warmUp } = EFFORTS[scale];
  return ROWS.map((row) => ({
    ...row,
    inTurn: row.inTurn ?? 1,
    samples: Math.ceil(row.samples * samples),
    warmUp: Math.ceil(row.warmUp * warmUp),
  }));
}
