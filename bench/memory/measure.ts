/**
 * Comparing two sides in one process.
 *
 * mitata's `measure()` was looked at and not taken: it measures one function to its end, and then
 * the next, so that noise of the machine, the clock's frequency and the state of the heap meet the
 * sides differently, and it calls a function for each iteration, which is as expensive as the pair
 * of calls that is to be measured. Here, the sides take turns of equal length, the order swaps each
 * round, and the median of the rounds' ratios counts. Of each side, the loop is part of what is compiled.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { medianOf } from "../../lib/median.ts";
import type { Effort, Values } from "./rows.ts";

/** Does its work `count` times. What it returns is kept, so that the work cannot be left out. */
export type Loop = (count: number) => unknown;

/** Something that is measured. */
export interface Side {
  /** What it is. */
  readonly name: string;
  /** The nanoseconds that `count` times took. */
  readonly time: (count: number) => number;
}

/** Nobody reads it, which the compiler does not know. */
export let sink: unknown;

/** Keeps a result: the compiler has to believe that it is used. */
export function keep(result: unknown): void {
  sink = result;
}

let copies = 0;

/**
 * The same function, compiled again from its source: what the compiler learns of one copy is not
 * mixed with what it learns of another, as it is for closures of one function. It must not refer to
 * anything outside.
 */
export function fresh<F extends (...args: never[]) => unknown>(factory: F): F {
  return new Function(`/* ${copies++} */ return ${factory.toString()}`)() as F;
}

/** The side of a loop in JavaScript. */
export function sideOf(name: string, loop: Loop): Side {
  return {
    name,
    time(count) {
      const start = performance.now();
      sink = loop(count);
      return (performance.now() - start) * 1e6;
    },
  };
}

/** A lead-in's share of a turn. */
const LEAD_IN = 1 / 3;

/**
 * Runs a side without counting it, before its turn: what the other side has left to the garbage
 * collector is collected here. (To call the collector would not do: V8 then makes the heap small, and
 * the turn begins by growing it.)
 */
async function leadIn({ time }: Side, count: number): Promise<void> {
  await setImmediate();
  time(Math.ceil(count * LEAD_IN));
  await setImmediate();
}

/** A side in its turns. */
interface Contender {
  /** What is measured. */
  readonly side: Side;
  /** How often in one turn. */
  readonly count: number;
  /** What came out, of each turn. */
  readonly values: number[];
}

/** Runs a side until it is compiled; how often it goes in one turn. */
async function warmUp({ time }: Side, { turn, warmUp }: Effort): Promise<number> {
  let count = 1;
  let spent = 0;
  let last = 0;
  while (spent < warmUp * 1e6) {
    last = time(count);
    spent += last;
    if (last < turn * 1e6 / 2) count *= 2;
    await setImmediate();
  }
  return Math.max(1, Math.round(count * turn * 1e6 / Math.max(last, 1)));
}

/**
 * Measures a subject and what it may be compared with; the baseline that is fastest counts. The
 * values are those of the round whose ratio is the median of all rounds' ratios: the two turns of a
 * round met the same noise.
 */
export async function compare(
  subject: Side,
  baselines: readonly Side[],
  effort: Effort,
): Promise<Values> {
  const contenders: Contender[] = [];
  for (const side of [subject, ...baselines]) {
    contenders.push({ side, count: await warmUp(side, effort), values: [] });
  }
  const [own, ...rest] = contenders;
  const turns = [...contenders];
  for (let round = 0; round < effort.rounds; round++) {
    for (const { side, count, values } of turns.reverse()) {
      await leadIn(side, count);
      values.push(side.time(count) / count);
    }
  }
  const best = rest.sort((a, b) => medianOf(a.values) - medianOf(b.values))[0];
  if (own === undefined || best === undefined) {
    throw new RangeError("Cannot compare: there must be a subject and a baseline");
  }
  const pairs = own.values.map((value, round) => [value, best.values[round] ?? NaN] as const);
  const ranked = pairs.sort(([a, b], [c, d]) => a / b - c / d);
  const [subjectValue, baselineValue] = ranked[ranked.length >> 1] ?? [NaN, NaN];
  return { subject: subject.name, baseline: best.side.name, subjectValue, baselineValue };
}
