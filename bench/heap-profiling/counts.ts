/**
 * What there is to pay for in a warm process, in numbers that no other work on the machine changes: samples,
 * allocations, and lines that the runtime writes into its map of code, for each second of processor time.
 *
 * @module
 */
import { readFileSync, rmSync, statSync } from "node:fs";
import { askAgent } from "../../lib/watch/agent/client.ts";
import { readDump } from "../../lib/watch/heap/dump.ts";
import { scaleSample } from "../../lib/watch/heap/scale.ts";
import type { SetUp } from "./set-ups.ts";
import { startWorker } from "./worker.ts";

/** What is counted: the samples, allocations and their bytes, and lines in the map of code. */
export const COUNTED = ["samples", "allocations", "bytes", "lines"] as const;

/** For each second of processor time. */
export type Counts = Readonly<Record<(typeof COUNTED)[number], number>>;

/** jemalloc counts what was freed, too. */
const COUNTING: SetUp = {
  options: ["--heap-profiling", "--active"],
  variables: { MALLOC_CONF: "prof_accum:true" },
};

async function countsOf(pid: number): Promise<Counts> {
  const { dump } = await askAgent(pid, "profile dump");
  if (dump === null) throw new Error("Cannot count: the agent has written no dump");
  const { stacks, interval } = readDump(readFileSync(dump, "latin1"), dump);
  rmSync(dump);
  const map = `/tmp/perf-${pid}.map`;
  const lines = statSync(map).size === 0 ? 0 : readFileSync(map, "latin1").split("\n").length;
  const sum = { samples: 0, allocations: 0, bytes: 0, lines };
  for (const { allocated } of stacks) {
    const { objects, bytes } = scaleSample(allocated, interval);
    sum.samples += allocated.objects;
    sum.allocations += objects;
    sum.bytes += bytes;
  }
  return sum;
}

/** Counts over so many portions, after so many seconds of warm-up. */
export async function countSteady(
  node: string,
  workload: string,
  { portions, warmUp }: { readonly portions: number; readonly warmUp: number },
): Promise<Counts> {
  const worker = await startWorker(node, workload, COUNTING, warmUp);
  try {
    const before = await countsOf(worker.pid);
    let seconds = 0;
    for (let index = 0; index < portions; index++) seconds += await worker.portion();
    const after = await countsOf(worker.pid);
    const rates = COUNTED.map((name) => [name, (after[name] - before[name]) / seconds]);
    return Object.fromEntries(rates);
  } finally {
    await worker.end();
  }
}
