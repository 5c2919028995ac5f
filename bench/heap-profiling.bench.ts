/**
 * What heap profiling costs: the workloads with samples prepared, and with samples taken, against
 * jemalloc without either in the same round; and what one sample takes. Rounds go through the set-ups in
 * an order that turns; medians of the ratios are shown, with the least and the greatest.
 *
 *     npm run bench:heap-profiling -- [--workloads NAMES] [--rounds N] [--scale quick] [--json FILE]
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
import { cleanEnvironment } from "../scripts/npm/process.ts";
import { positive } from "../tools/common.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";
import type { WorkloadOutput } from "./suite/format.ts";

function file(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

const CLI = file("../lib/cli.ts");
const WORKLOADS = ["documents", "agents", "service"] as const;
const METRICS = ["throughput", "cpu", "peakResident"] as const;
type Ratios = Readonly<Record<(typeof METRICS)[number], number>>;

/** What `offheap run -a jemalloc` gets, and variables besides. */
interface SetUp {
  readonly options: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
}

const BASELINE: SetUp = { options: [] };
const SETUPS: Readonly<Record<string, SetUp>> = {
  "itself": BASELINE,
  "sampling prepared, without the map of code": {
    options: [],
    variables: { MALLOC_CONF: "prof:true,prof_active:false,lg_prof_sample:19" },
  },
  "prepared": { options: ["--heap-profiling"] },
  "active": { options: ["--heap-profiling", "--active"] },
};

const { rounds, scale, json, workloads } = new Command()
  .option("--rounds <number>", "how often each is run", positive, 5)
  .option("--scale <name>", "how much is done: test, quick or full", "quick")
  .option("--workloads <names...>", "which of them; none with an empty name", [...WORKLOADS])
  .option("--json <file>", "where the figures go")
  .parse().opts<{ rounds: number; scale: string; json?: string; workloads: string[] }>();

const [node] = (await findRuntimes(parseRuntimeNames(["node26"]))).found;
if (node === undefined) throw new Error("Cannot measure: there is no Node 26");
const { binary } = node;

function launched({ options }: SetUp, ...program: string[]): string[] {
  return [CLI, "run", "-a", "jemalloc", ...options, "--", binary, ...program];
}

function measure(workload: string, setUp: SetUp): Ratios {
  const words = JSON.stringify({ scale, idle: 0, seed: 1, options: {} });
  const output = execFileSync(binary, launched(setUp, file(`workloads/${workload}.ts`), words), {
    encoding: "utf8",
    env: cleanEnvironment(binary, setUp.variables ?? {}),
    stdio: ["ignore", "pipe", "ignore"],
  });
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
    launched(setUp, "--expose-gc", file("heap-profiling/per-sample.mjs")),
    {
      env: cleanEnvironment(binary, {}),
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

for (let round = 0; round < rounds; round++) {
  for (const workload of workloads.filter((name) => name !== "")) measureWorkload(workload, round);
}
samples = await measureSamples();
write();
const table = new Table({ head: ["against jemalloc without profiling", ...METRICS] });
for (const [name, found] of Object.entries(ratios)) {
  table.push([name, ...METRICS.map((metric) => cell(found.map((each) => each[metric])))]);
}
console.log(table.toString());
console.log(`one sample, µs: ${cell(samples)}`);
console.log(`load average: ${loadavg().map((load) => load.toFixed(1)).join(", ")}`);
