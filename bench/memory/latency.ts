/**
 * Percentiles of one call of each kind.
 *
 * The clock costs 30 to 150 ns. A block takes longer, and each of its samples is one call, the
 * clock's cost within it on both sides. What takes less is sampled in batches, whose mean counts: an
 * outlier of one call is then a batch's outlier, by a batch's share of it.
 *
 * @module
 */
import { type Case, type Context, SIDES, type Sides } from "./cases.ts";
import * as loops from "./loops.ts";
import { type Contender, fresh, leadIn, type Side, sideOf, warmUp } from "./measure.ts";
import { quantile, type Row, rowOf } from "./rows.ts";

const SHARES: readonly (readonly [string, number])[] = [
  ["p50", 0.5],
  ["p95", 0.95],
  ["p99", 0.99],
  ["p99.9", 0.999],
];

/** Samples in a turn: the sides alternate. */
const TURN = 2000;

/** The kinds of calls, and how many make a sample. */
const KINDS: Readonly<Record<string, { readonly batch: number; readonly of: string }>> = {
  "raw pair, 64 bytes": { batch: 64, of: "raw/malloc-free-64" },
  "cached pair, 64 bytes": { batch: 64, of: "cached/malloc-free-64" },
  "block, 65536 bytes": { batch: 1, of: "block/65536" },
  "pool lease, 65536 bytes": { batch: 16, of: "pool/65536" },
};

/** One call of an arena at a time has no place for its reset: the chunk's share of it is in it. */
function arenaSides({ memory }: Context): Sides {
  const arena = memory.arena();
  return {
    subject: sideOf(
      `${memory.name}: arena.allocate(64), reset each 64`,
      fresh(loops.arenaViews)(arena, 64, 64),
    ),
    baselines: [sideOf("new Uint8Array(64)", fresh(loops.liveArrays)(64, 64))],
  };
}

async function sample(batch: number, sides: Sides, context: Context) {
  const { effort } = context;
  const contenders: Contender[] = [];
  const fastest = await pickBaseline(sides, context);
  for (const side of [sides.subject, fastest]) {
    await warmUp(side, effort);
    contenders.push({ side, count: batch, values: [] });
  }
  for (let taken = 0; taken < effort.samples; taken += TURN) {
    for (const { side, count, values } of contenders.reverse()) {
      await leadIn(side, count * TURN);
      for (let i = 0; i < TURN; i++) values.push(side.time(count));
    }
  }
  const [subject, baseline] = [sides.subject, fastest].map((side) =>
    contenders.find((each) => each.side === side)?.values ?? []
  );
  return { subject, baseline, fastest };
}

async function pickBaseline({ baselines }: Sides, { effort }: Context): Promise<Side> {
  const times = [];
  for (const side of baselines) {
    const count = await warmUp(side, effort);
    times.push({ side, each: side.time(count) / count });
  }
  const best = times.sort((a, b) => a.each - b.each)[0]?.side;
  if (best === undefined) throw new RangeError("Cannot measure: there is nothing to compare with");
  return best;
}

function latencyCase(
  kind: string,
  batch: number,
  calls: number,
  sidesOf: (context: Context) => Sides,
): Case {
  const name = `latency/${kind}`;
  return {
    name,
    async measure(context): Promise<Row[]> {
      const sides = sidesOf(context);
      const result = await sample(batch, sides, context);
      return SHARES.map(([label, share]) =>
        rowOf(name, context.runtime, `ns ${label}`, {
          subject: sides.subject.name,
          baseline: result.fastest.name,
          subjectValue: quantile(result.subject ?? [], share) / calls,
          baselineValue: quantile(result.baseline ?? [], share) / calls,
        })
      );
    },
  };
}

/** The cases. */
export const LATENCY_CASES: readonly Case[] = [
  ...Object.entries(KINDS).map(([kind, { batch, of }]) =>
    latencyCase(kind, batch, batch, (context) => {
      const sides = SIDES[of];
      if (sides === undefined) throw new RangeError(`Cannot measure: there is no case "${of}"`);
      return sides(context);
    })
  ),
  latencyCase("arena.allocate, 64 bytes", 1, 64, arenaSides),
];
