/**
 * What `offheap run` costs: inside the command, before its main (loading the allocator and
 * the check), and in the launcher, from the npm package as from this checkout. Rounds alternate
 * between the cases, so that noise of the machine meets all of them alike; medians are shown, and
 * what the launcher adds to Node's own start is compared with its limit.
 *
 *     npm run bench:launch -- [--rounds N] [--json FILE]
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import Table from "cli-table3";
import { Command } from "commander";
import { BUILT_ALLOCATORS } from "../lib/allocators/mod.ts";
import { medianOf } from "../lib/median.ts";
import { positive } from "../tools/common.ts";
import { cleanEnvironment } from "../tools/environment.ts";
import { CLI } from "../tools/paths.ts";
import { findRuntimes, parseRuntimeNames, type Runtime } from "../tools/runtimes.ts";
import { installPackage } from "./packaged.ts";

const ALLOCATORS = ["system", ...BUILT_ALLOCATORS] as const;

/** What the package's launcher may add to Node's own start, in milliseconds, on a quiet machine. */
const LIMIT_MS = 60;

interface Case {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  /** The case without offheap. */
  readonly plain?: Case;
  /** How often the plain one starts in it: the launcher is a Node, too. Once, by default. */
  readonly starts?: number;
  /** What it may take over the plain one. */
  readonly limit?: number;
}

interface Result {
  readonly case: string;
  readonly runtime: string;
  readonly unit: "ms";
  readonly median: number;
  readonly overPlain: number;
}

function launcher(...args: string[]): [string, ...string[]] {
  return [process.execPath, CLI, ...args];
}

/** What `run` preloads, as the command itself sees it. */
function preloadOf(allocator: string): string {
  const [file, ...args] = launcher("run", "-a", allocator, "--", "printenv", "LD_PRELOAD");
  return execFileSync(file, args, { encoding: "utf8" }).trim();
}

/** The shell becomes the program, so that only the program is preloaded and checked. */
function insideCase(allocator: string, plain: Case): Case {
  const script = 'OFFHEAP_REQUIRE="$$:$1" OFFHEAP_BACKGROUND="$$:" LD_PRELOAD="$2" exec true';
  return {
    name: `inside the command, ${allocator}`,
    command: ["sh", "-c", script, "sh", allocator, preloadOf(allocator)],
    plain,
  };
}

/** Node beneath its own launcher, both of one version. */
function packageCases({ spec, binary }: Runtime, cli: string, cache: string): Case[] {
  const program = [binary, "-e", "0"] as const;
  const env = cleanEnvironment(binary, { XDG_CACHE_HOME: cache });
  const plain: Case = { name: `${spec.title}: node -e 0`, command: program, env };
  const name = `${spec.title}: offheap run -- node -e 0, from the package, over two starts`;
  const command = [binary, cli, "run", "--", ...program] as const;
  return [plain, { name, command, env, plain, starts: 2, limit: LIMIT_MS }];
}

function time({ command: [file, ...args], env = process.env }: Case): number {
  const start = performance.now();
  execFileSync(file, args, { stdio: "ignore", env });
  return performance.now() - start;
}

function measure(cases: readonly Case[], rounds: number): (one: Case) => number {
  const times = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const one of cases) times.get(one.name)?.push(time(one));
  }
  return ({ name }) => medianOf(times.get(name) ?? []);
}

const { rounds, json } = new Command("npm run bench:launch --")
  .option("--rounds <n>", "how many rounds", positive, 40)
  .option("--json <file>", "write the results")
  .parse().opts<{ rounds: number; json?: string }>();

const work = mkdtempSync(join(tmpdir(), "offheap-bench-launch-"));
try {
  const cli = join(await installPackage(work), "dist", "cli.cjs");
  const { found } = await findRuntimes(parseRuntimeNames(["node26", "node22"]));
  const plain: Case = { name: "plain", command: ["sh", "-c", "exec true"] };
  const cases: readonly Case[] = [
    plain,
    ...ALLOCATORS.map((allocator) => insideCase(allocator, plain)),
    {
      name: "launcher and command, jemalloc, from the checkout",
      command: launcher("run", "--", "true"),
      plain,
    },
    ...found.flatMap((runtime) => packageCases(runtime, cli, join(work, "cache"))),
  ];
  const medianOf = measure(cases, rounds);
  const runtime = `${process.release.name} ${process.version}`;
  const results: Result[] = [];
  const table = new Table({ head: ["case", "median ms", "over plain ms", "limit ms"] });
  for (const one of cases) {
    const value = medianOf(one);
    const floor = one.plain === undefined ? value : (one.starts ?? 1) * medianOf(one.plain);
    const overPlain = value - floor;
    results.push({ case: one.name, runtime, unit: "ms", median: value, overPlain });
    table.push([one.name, value.toFixed(2), overPlain.toFixed(2), String(one.limit ?? "")]);
    const over = one.limit !== undefined && overPlain > one.limit;
    if (over) console.log(`over the limit: ${one.name} adds ${overPlain.toFixed(1)} ms`);
  }
  console.log(table.toString());
  if (json !== undefined) writeFileSync(json, JSON.stringify(results, null, 2));
} finally {
  rmSync(work, { recursive: true, force: true, maxRetries: 5 });
}
