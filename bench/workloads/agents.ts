/**
 * Agents: crews of a planner, workers, tools, a memory and a reviewer, several at a time, with a
 * model in another process that streams its answers. The option `memory` says where embeddings
 * and pieces of text are: `"arena"` (an arena a run, and blocks) or `"javascript"`.
 *
 * Metrics besides the usual: `events`, how fast the model's events were read. Latencies are of a run
 * and of a request to the model, whose answer is read to its end.
 *
 * @module
 */
import { runCrew, type RunResult } from "./agents/crew.ts";
import { makeMaterial } from "./agents/material.ts";
import { type AgentMemory, MEMORIES } from "./agents/memory.ts";
import { type Model, startModel } from "./agents/model.ts";
import type { ModelRequest } from "./agents/protocol.ts";
import { recorder } from "./support/percentiles.ts";
import {
  type Meter,
  runWorkload,
  type Scale,
  type WorkloadArguments,
  type WorkloadResult,
} from "./support/program.ts";
import { seeded } from "./support/random.ts";

const RUNS: Readonly<Record<Scale, number>> = { test: 3, quick: 120, full: 900 };
/** Runs at a time. */
const LANES = 8;
/** What makes the random numbers of two runs differ. */
const STRIDE = 1000;

function chooseMemory(name: string | number = "arena"): AgentMemory {
  const open = MEMORIES[name];
  if (open !== undefined) return open();
  throw new RangeError(
    `Cannot choose memory: it must be one of ${Object.keys(MEMORIES).join(", ")}; got "${name}"`,
  );
}

async function runCrews(
  { scale, seed }: WorkloadArguments,
  meter: Meter,
  memory: AgentMemory,
  model: Model,
): Promise<WorkloadResult> {
  const material = makeMaterial(seed, memory);
  const [runTimes, requestTimes] = [recorder(), recorder()];
  let events = 0;
  async function ask(asked: ModelRequest) {
    const answer = await requestTimes.time(() => model.ask(asked));
    events += answer.events;
    return answer;
  }
  async function oneRun(index: number): Promise<RunResult> {
    const scratch = memory.scratch();
    try {
      return await runCrew(ask, seeded(seed + (index + 1) * STRIDE), scratch, material);
    } finally {
      scratch.free();
    }
  }
  const results: RunResult[] = [];
  let next = 0;
  async function lane(): Promise<void> {
    while (next < RUNS[scale]) {
      const index = next++;
      results[index] = await runTimes.time(() => oneRun(index));
    }
  }

  const start = performance.now();
  meter.start();
  await Promise.all(Array.from({ length: LANES }, lane));
  meter.stop();
  const seconds = (performance.now() - start) / 1000;

  for (const { digest } of results) meter.digest.update(digest);
  return {
    count: results.reduce((sum, { steps }) => sum + steps, 0),
    metrics: { events: { value: events / seconds, unit: "1/s", better: "higher" } },
    latencies: { run: runTimes.latency(), request: requestTimes.latency() },
  };
}

await runWorkload(async (given, meter) => {
  const memory = chooseMemory(given.options["memory"]);
  try {
    const model = await startModel(given.seed);
    try {
      return await runCrews(given, meter, memory, model);
    } finally {
      await model.close();
    }
  } finally {
    memory.close();
  }
});
