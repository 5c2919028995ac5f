/**
 * What the agent brings: the burst of documents in Node 26, each set-up against glibc without offheap
 * in the same round. Shown are medians of the ratios, with the least and the greatest.
 *
 *     npm run bench:agent -- [--rounds N] [--scale quick] [--json FILE]
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { Command } from "commander";
import { median } from "simple-statistics";
import { cleanEnvironment } from "../scripts/npm/process.ts";
import { positive } from "../tools/common.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";
import type { WorkloadOutput } from "./suite/format.ts";

const CLI = fileURLToPath(new URL("../lib/cli.ts", import.meta.url));
const DOCUMENTS = fileURLToPath(new URL("workloads/documents.ts", import.meta.url));

/** Long enough for the agent to see the rest, and to give memory back. */
const IDLE_SECONDS = 5;

const METRICS = ["throughput", "minorFaults", "peakResident", "idleResident"] as const;
type Ratios = Readonly<Record<(typeof METRICS)[number], number>>;

/** What `offheap run` gets; `null` without offheap. */
const SETUPS: Readonly<Record<string, readonly string[] | null>> = {
  "glibc against itself": null,
  "system, agent": ["-a", "system"],
  "jemalloc balanced, agent": ["-a", "jemalloc"],
  "jemalloc balanced, no agent": ["-a", "jemalloc", "--no-agent"],
  "jemalloc low-memory, agent": ["-a", "jemalloc", "-p", "low-memory"],
  "jemalloc throughput, agent": ["-a", "jemalloc", "-p", "throughput"],
  "mimalloc balanced, agent": ["-a", "mimalloc"],
};

const { rounds, scale, json } = new Command()
  .option("--rounds <number>", "how often each is run", positive, 3)
  .option("--scale <name>", "how much is done: test, quick or full", "quick")
  .option("--json <file>", "where the figures go")
  .parse().opts<{ rounds: number; scale: string; json?: string }>();

const [node] = (await findRuntimes(parseRuntimeNames(["node26"]))).found;
if (node === undefined) throw new Error("Cannot measure: there is no Node 26");
const { binary } = node;
const program = [binary, DOCUMENTS, JSON.stringify({ scale, idle: IDLE_SECONDS })];

function measure(options: readonly string[] | null): Ratios {
  const words = options === null ? program : [binary, CLI, "run", ...options, "--", ...program];
  const [file = "", ...args] = words;
  const output = execFileSync(file, args, {
    encoding: "utf8",
    env: cleanEnvironment(binary, {}),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const { metrics } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as WorkloadOutput;
  return Object.fromEntries(
    METRICS.map((name) => [name, metrics[name]?.value ?? NaN]),
  ) as unknown as Ratios;
}

const ratios: Record<string, Ratios[]> = {};
for (let round = 1; round <= rounds; round++) {
  const glibc = measure(null);
  for (const [name, options] of Object.entries(SETUPS)) {
    const found = measure(options);
    const ratio = METRICS.map((metric) => [metric, found[metric] / glibc[metric]]);
    (ratios[name] ??= []).push(Object.fromEntries(ratio));
    process.stderr.write(`round ${round} of ${rounds}: ${name}\n`);
    if (json !== undefined) writeFileSync(json, JSON.stringify(ratios, null, 2));
  }
}

function cell(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median([...values]).toFixed(2)} [${least.toFixed(2)}, ${most.toFixed(2)}]`;
}

const table = new Table({ head: ["set-up", "throughput", "page faults", "peak", "idle"] });
for (const [name, each] of Object.entries(ratios)) {
  table.push([name, ...METRICS.map((metric) => cell(each.map((one) => one[metric])))]);
}
console.log(table.toString());
