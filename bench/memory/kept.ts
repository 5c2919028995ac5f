/**
 * What is kept for each live block, beside its own bytes.
 *
 * @module
 */
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import type { Case, Context } from "./cases.ts";
import { keep } from "./measure.ts";
import { type Row, rowOf } from "./rows.ts";

const LIVE = 100_000;
const SIZE = 64;

/** Stays alive to the end. */
const kept: unknown[] = [];

interface Sizes {
  readonly heap: number;
  readonly resident: number;
}

/** A full collection; V8's own `gc` would take an argument for a wish for less. */
function collectGarbage(): void {
  const bun = Reflect.get(globalThis, "Bun") as { gc(wait: boolean): void } | undefined;
  if (bun !== undefined) return bun.gc(true);
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") throw new TypeError("Cannot measure: there is no gc()");
  collect();
}

async function sizes(): Promise<Sizes> {
  for (let i = 0; i < 3; i++) {
    await setTimeout(50);
    collectGarbage();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

/** Bytes for each of what is made; all of it stays. */
async function growth(make: () => unknown): Promise<Sizes> {
  const all: unknown[] = new Array(LIVE).fill(null);
  const before = await sizes();
  for (let i = 0; i < LIVE; i++) all[i] = make();
  const after = await sizes();
  kept.push(all);
  keep(kept);
  return {
    heap: (after.heap - before.heap) / LIVE,
    resident: (after.resident - before.resident) / LIVE,
  };
}

/** The case. The arrays stay while the blocks are made, so that both grow into fresh memory. */
export const KEPT_CASE: Case = {
  name: `kept/block-${SIZE}`,
  async measure({ memory, runtime }: Context): Promise<Row[]> {
    const arrays = await growth(() => new Uint8Array(SIZE));
    const blocks = await growth(() => memory.allocate(SIZE));
    const subject = `${memory.name}: ${LIVE} live blocks`;
    const baseline = `${LIVE} live new Uint8Array(${SIZE})`;
    const row = (unit: string, subjectValue: number, baselineValue: number, against = baseline) =>
      rowOf(`kept/block-${SIZE}`, runtime, unit, {
        subject,
        baseline: against,
        subjectValue,
        baselineValue,
      });
    return [
      row("bytes of heap and external", blocks.heap, arrays.heap),
      row("bytes resident", blocks.resident, arrays.resident),
      row("bytes set aside", memory.goodSize(SIZE), SIZE, "the size asked for"),
    ];
  },
};
