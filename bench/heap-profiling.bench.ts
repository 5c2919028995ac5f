/**
 * What heap profiling costs: the workloads with samples prepared, and with samples taken, against
 * jemalloc without either in the same round; and what one sample takes. Rounds go through the set-ups in
 * an order that turns; medians of the ratios are shown, with the least and the greatest. A run of some
 * seconds is mostly its start, where all code is new: `--steady` counts what there is to pay
 * for in processes that are warm, and compares them.
 *
 *     npm run bench:heap-profiling -- [--workloads NAMES] [--steady] [--rounds N] [--scale quick]
 *         [--json FILE]
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { Command } from "commander";
import { median } from "simple-statistics";
import { askAgent } from "../lib/watch/agent/client.ts";
import { positive } from "../tools/common.ts";
import { cleanEnvironment } from "../tools/environment.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";
import { COUNTED, countSteady } from "./heap-profiling/counts.ts";
import { BASELINE, launched, type SetUp, SETUPS } from "./heap-profiling/set-ups.ts";
import { measureSteady, STEADY_ROWS } from "./heap-profiling/steady.ts";
import type { WorkloadOutput } from "./suite/format.ts";

function file(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

const WORKLOADS = ["documents", "agents", "service"] as const;
const METRICS = ["throughput", "cpu", "peakResident"] as const;
type Ratios = Readonly<Record<(typeof METRICS)[number], number>>;

const { rounds, scale, json, workloads, steady } = new Command("npm run bench:heap-profiling --")
  .option("--rounds <number>", "how often each is run", positive, 5)
  .option("--scale <name>", "how much is done: test, quick or full", "quick")
  .option("--workloads <names...>", "which of them; none with an empty name", [...WORKLOADS])
  .option("--steady", "processor time after a warm-up, by turns; rounds are starts, then")
  .option("--json <file>", "where the figures go")
  .parse().opts<
  { rounds: number; scale: string; json?: string; workloads: string[]; steady?: boolean }
>();

const [node] = (await findRuntimes(parseRuntimeNames(["node26"]))).found;
if (node === undefined) throw new Error("Cannot measure: there is no Node 26");
const { binary } = node;

function measure(workload: string, setUp: SetUp): Ratios {
  const words = JSON.stringify({ scale, idle: 0, seed: 1, options: {} });
  const output = execFileSync(
    binary,
    launched(binary, setUp, file(`workloads/${workload}.ts`), words),
    {
      encoding: "utf8",
      env: cleanEnvironment(binary, setUp.variables ?? {}),
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const { metrics } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as WorkloadOutput;
  return Object.fromEntries(
    METRICS.map((name) => [name, metrics[name]?.value ?? NaN]),
  ) as unknown as Ratios;
}

const ratios: Record<string, Ratios[]> = {};
let samples: number[] = [];

/** After each run: a measurement may be ended early. */
function write(): void {
  if (json !== undefined) writeFileSync(json, JSON.stringify({ ratios, samples }, null, 2));
}

function measureWorkload(workload: string, round: number): void {
  const names = Object.keys(SETUPS);
  const turned = [...names.slice(round % names.length), ...names.slice(0, round % names.length)];
  const baseline = measure(workload, BASELINE);
  for (const name of turned) {
    const found = measure(workload, SETUPS[name] ?? BASELINE);
    const ratio = METRICS.map((metric) => [metric, found[metric] / baseline[metric]]);
    (ratios[`${workload}: ${name}`] ??= []).push(Object.fromEntries(ratio));
    write();
    process.stderr.write(`round ${round + 1} of ${rounds}: ${workload}, ${name}\n`);
  }
}

/** Microseconds for each sample, by turns with and without samples in one process. */
async function measureSamples(): Promise<number[]> {
  const setUp = { options: ["--heap-profiling=1KiB"] };
  const child = spawn(
    binary,
    launched(binary, setUp, "--expose-gc", file("heap-profiling/per-sample.mjs")),
    {
      env: cleanEnvironment(binary),
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<number> => {
      child.stdin.write("\n");
      return Number((await lines.next()).value);
    };
    await lines.next();
    const pid = child.pid ?? 0;
    const differences: number[] = [];
    for (let i = 0; i < rounds * 4; i++) {
      await askAgent(pid, "profile stop");
      const without = await next();
      await askAgent(pid, "profile start");
      differences.push(await next() - without);
    }
    return differences;
  } finally {
    child.kill("SIGKILL");
  }
}

function cell(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median([...values]).toFixed(3)} [${least.toFixed(3)}, ${most.toFixed(3)}]`;
}

const chosen = workloads.filter((name) => name !== "");

async function compareRuns(): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const workload of chosen) measureWorkload(workload, round);
  }
  samples = await measureSamples();
  write();
  const table = new Table({ head: ["against jemalloc without profiling", ...METRICS] });
  for (const [name, found] of Object.entries(ratios)) {
    table.push([name, ...METRICS.map((metric) => cell(found.map((each) => each[metric])))]);
  }
  console.log(table.toString());
  console.log(`one sample, µs: ${cell(samples)}`);
}

/** So much of each start. */
const STEADY = { rounds: 32, unmeasured: 8, warmUp: 6 };

/** What warm processes have to pay for, which no other work on the machine changes. */
async function countWarm(): Promise<void> {
  const table = new Table({ head: ["each second of processor time", ...COUNTED] });
  for (const workload of chosen) {
    const counts = await countSteady(binary, workload, { portions: 16, warmUp: 10 });
    table.push([workload, ...COUNTED.map((name) => Math.round(counts[name]))]);
  }
  console.log(table.toString());
}

async function compareSteady(): Promise<void> {
  await countWarm();
  const found: Record<string, Awaited<ReturnType<typeof measureSteady>>> = {};
  for (const workload of chosen) {
    await measureSteady(binary, workload, { starts: rounds, ...STEADY }, (ratios) => {
      found[workload] = [...ratios];
      if (json !== undefined) writeFileSync(json, JSON.stringify(found, null, 2));
    });
  }
  const table = new Table({ head: ["processor time of warm processes", ...chosen] });
  for (const row of STEADY_ROWS) {
    table.push([
      row,
      ...chosen.map((workload) => cell((found[workload] ?? []).map((each) => each[row]))),
    ]);
  }
  console.log(table.toString());
}

await (steady === true ? compareSteady() : compareRuns());
console.log(`load average: ${loadavg().map((load) => load.toFixed(1)).join(", ")}`);
