/**
 * What `offheap run` costs: inside the command, before its own code runs (loading the allocator and
 * the check), and in the launcher. Rounds alternate between the cases, so that noise of the machine
 * meets all of them alike; medians are shown.
 *
 *     npm run bench:launch -- [--rounds N] [--json FILE]
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { Command } from "commander";
import { runtimeCommand } from "../tests/support/runtime.ts";

const CLI = fileURLToPath(new URL("../lib/cli.ts", import.meta.url));
const ALLOCATORS = ["system", "jemalloc", "mimalloc"] as const;

interface Case {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

interface Result {
  readonly case: string;
  readonly runtime: string;
  readonly unit: "ms";
  readonly median: number;
  readonly overPlain: number;
}

function launcher(...args: string[]): [string, ...string[]] {
  return runtimeCommand(CLI, ...args);
}

/** What `run` preloads, as the command itself sees it. */
function preloadOf(allocator: string): string {
  const [file, ...args] = launcher("run", "-a", allocator, "--", "printenv", "LD_PRELOAD");
  return execFileSync(file, args, { encoding: "utf8" }).trim();
}

/** The shell becomes the program, so that only the program is preloaded and checked. */
function insideCase(allocator: string): Case {
  const script = 'OFFHEAP_REQUIRE="$$:$1" OFFHEAP_BACKGROUND="$$:" LD_PRELOAD="$2" exec true';
  return {
    name: `inside the command, ${allocator}`,
    command: ["sh", "-c", script, "sh", allocator, preloadOf(allocator)],
  };
}

function time({ command: [file, ...args] }: Case): number {
  const start = performance.now();
  execFileSync(file, args, { stdio: "ignore" });
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

const options = new Command().option("--rounds <n>", "how many rounds", Number, 60)
  .option("--json <file>", "write the results").parse().opts<{ rounds: number; json?: string }>();

const plain: Case = { name: "plain", command: ["sh", "-c", "exec true"] };
const cases: readonly Case[] = [
  plain,
  ...ALLOCATORS.map(insideCase),
  { name: "launcher and command, jemalloc", command: launcher("run", "--", "true") },
];
const times = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
for (let round = 0; round < options.rounds; round++) {
  for (const one of cases) times.get(one.name)?.push(time(one));
}
const base = median(times.get(plain.name) ?? []);
const runtime = `${process.release.name} ${process.version}`;
const results: Result[] = cases.map(({ name }) => {
  const value = median(times.get(name) ?? []);
  return { case: name, runtime, unit: "ms", median: value, overPlain: value - base };
});

const table = new Table({ head: ["case", "median ms", "over plain ms"] });
for (const { case: name, median: value, overPlain } of results) {
  table.push([name, value.toFixed(2), overPlain.toFixed(2)]);
}
console.log(table.toString());
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 2));
