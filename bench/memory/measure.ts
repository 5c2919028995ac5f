/**
 * Comparing two sides in one process.
 *
 * mitata's `measure()` was looked at and not taken: it measures one function to its end, and then
 * the next, so that noise of the machine, the clock's frequency and the state of the heap meet the
 * sides differently, and it calls a function for each iteration, which is as expensive as the pair
 * of calls that is to be measured. Here, the sides take turns of equal length, the order swaps each
 * round, and the medians are compared. Of each side, the loop is part of what is compiled.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { type Effort, quantile, type Values } from "./rows.ts";

/** Does its work `count` times. What it returns is kept, so that the work cannot be left out. */
export type Loop = (count: number) => unknown;

/** Something that is measured. */
export interface Side {
  /** What it is. */
  readonly name: string;
  /** The nanoseconds that `count` times took. */
  readonly time: (count: number) => number;
}

let sink: unknown;

/** Keeps a result: the compiler has to believe that it is used. */
export function keep(result: unknown): void {
  sink = result;
}

/** What was kept last. */
export function kept(): unknown {
  return sink;
}

let copies = 0;

/**
 * The same function, compiled anew from its source: what the compiler learns of one copy is not
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

interface Contender {
  readonly side: Side;
  readonly count: number;
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

/** Measures a subject and what it may be compared with; the fastest of the baselines counts. */
export async function compare(
  subject: Side,
  baselines: readonly Side[],
  effort: Effort,
): Promise<Values> {
  const contenders: Contender[] = [];
  for (const side of [subject, ...baselines]) {
    contenders.push({ side, count: await warmUp(side, effort), values: [] });
  }
  for (let round = 0; round < effort.rounds; round++) {
    for (const { side, count, values } of contenders.reverse()) {
      values.push(side.time(count) / count);
      // What is freed by the garbage collector's word is freed here, outside of the turns.
      await setImmediate();
    }
  }
  const medians = contenders.map(({ side, values }) => ({ side, value: quantile(values, 0.5) }));
  const rest = medians.filter(({ side }) => side !== subject).sort((a, b) => a.value - b.value);
  const [best] = rest;
  return {
    subject: subject.name,
    baseline: best?.side.name ?? "",
    subjectValue: medians.find(({ side }) => side === subject)?.value ?? NaN,
    baselineValue: best?.value ?? NaN,
  };
}
