/**
 * `npm start`: runs a real program under the operating system's allocator in every runtime, with
 * the evidence that it was so, and beside it the same program under the system's own allocator.
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import Table from "cli-table3";
import { Command } from "commander";
import { BUILT_ALLOCATORS } from "../lib/allocators/mod.ts";
import { medianOf } from "../lib/median.ts";
import { selectAllocator } from "../mod.ts";
import { buildMissing, positive } from "../tools/common.ts";
import type { PipelineResult } from "../examples/document-pipeline.ts";
import { howItEnded, runToEnd } from "../tools/processes.ts";
import { CLI, ROOT } from "../tools/paths.ts";
import { findRuntimes, parseRuntimeNames, type Runtime } from "../tools/runtimes.ts";

const PROGRAM: string = join(ROOT, "examples", "document-pipeline.ts");
const TIMEOUT_MS = 60_000;
/** After this long a runtime begins no other round: a slow machine gets fewer, at least one. */
const BUDGET_MS = 20_000;

/** The command line's options. */
interface Options {
  readonly runtime: string[];
  readonly rounds: number;
  readonly allocator: string;
}

/** The runs of one runtime, plain and under the allocator. */
interface Comparison {
  readonly runtime: Runtime;
  readonly plain: PipelineResult[];
  readonly under: PipelineResult[];
}

const program: Command = new Command("npm start --")
  .description("Runs the document pipeline in every runtime, under the allocator and without it.")
  .option("-r, --runtime <names...>", "only these: deno, bun, node26, node22", [])
  .option("-n, --rounds <count>", "runs of each kind; the table shows their medians", positive, 1)
  .option("-a, --allocator <name>", ["auto", ...BUILT_ALLOCATORS].join(", "), "auto");

try {
  program.parse();
  process.exitCode = await main(program.opts<Options>());
} catch (error) {
  console.error(error instanceof Error ? `error: ${error.message}` : error);
  process.exitCode = 1;
}

async function main(options: Options): Promise<number> {
  const { allocator } = selectAllocator({ platform: process.platform, option: options.allocator });
  const { found, missing } = await findRuntimes(parseRuntimeNames(options.runtime));
  buildMissing();
  const comparisons: Comparison[] = [];
  const problems = missing.map(({ spec, reason }) => `${spec.title} is missing: ${reason}`);
  for (const runtime of found) {
    const comparison: Comparison = { runtime, plain: [], under: [] };
    try {
      await compare(comparison, options);
      comparisons.push(comparison);
      problems.push(...problemsOf(comparison, allocator));
    } catch (error) {
      // The other runtimes can still show what they do.
      problems.push(`${runtime.spec.title}: ${error instanceof Error ? error.message : error}`);
    }
  }
  if (comparisons.length > 0) console.log(`\n${tableOf(comparisons)}`);
  const runs = options.rounds === 1 ? "of one run each" : "medians";
  console.log(`Figures are ${runs}; × is against the same runtime under the system's allocator.`);
  console.log("They hold for this program on this machine, no more.");
  for (const problem of problems) console.log(`FAILED: ${problem}`);
  return problems.length === 0 ? 0 : 1;
}

/** Runs both kinds in turns, each first in every other round, so that none has the warmer machine. */
async function compare(comparison: Comparison, options: Options): Promise<void> {
  const { runtime } = comparison;
  const command = [runtime.binary, ...runtime.spec.run];
  const program = [...command, PROGRAM, "--json"];
  const launch = [...command, CLI, "run", "--allocator", options.allocator, "--", ...program];
  console.log(`\n${runtime.spec.title} ${runtime.version}`);
  const start = performance.now();
  for (let round = 0; round < options.rounds; round++) {
    if (round > 0 && performance.now() - start > BUDGET_MS) break;
    const kinds = [
      { name: "plain", args: program, results: comparison.plain },
      { name: "under the allocator", args: launch, results: comparison.under },
    ];
    for (const { name, args, results } of round % 2 === 0 ? kinds : kinds.reverse()) {
      const result = await runPipeline(args);
      if (results.length === 0) { for (const line of evidenceOf(name, result)) console.log(line); }
      results.push(result);
    }
  }
}

async function runPipeline(args: readonly string[]): Promise<PipelineResult> {
  const ending = await runToEnd(args, { cwd: ROOT, limit: TIMEOUT_MS });
  if (ending.status === 0) return JSON.parse(ending.stdout);
  throw new Error(`Cannot run ${args.join(" ")}: it ${howItEnded(ending)}\n${ending.stderr}`);
}

/** What a run says of its allocator: the verdict, and each item of the process's evidence. */
function evidenceOf(name: string, { verification }: PipelineResult): string[] {
  const { processAllocator, processAllocatorVersion, runtimeAllocator } = verification;
  const verdict = verification.processAllocatorVerified ? "verified" : "NOT verified";
  const lines = [`  ${name}: ${processAllocator} ${processAllocatorVersion ?? ""} (${verdict})`];
  for (const { scope, check, outcome, detail } of verification.evidence) {
    if (scope !== "process" || outcome === "unavailable") continue;
    lines.push(`    ${outcome === "pass" ? "✔" : "✖"} ${check}: ${detail.replaceAll(ROOT, "")}`);
  }
  if (runtimeAllocator !== null) lines.push(`    ! ${runtimeAllocator.note}`);
  return lines;
}

/** What keeps a comparison from being one: the wrong allocator, no proof, or different work. */
function problemsOf({ runtime, plain, under }: Comparison, allocator: string): string[] {
  const problems = new Set<string>();
  const checksum = plain[0]?.checksum;
  for (const { verification, checksum: other } of [...plain, ...under]) {
    if (other !== checksum) problems.add(`${runtime.spec.title}: the runs' checksums differ`);
    if (!verification.processAllocatorVerified) {
      problems.add(`${runtime.spec.title}: ${verification.processAllocator} is not verified`);
    }
  }
  for (const { verification } of under) {
    if (verification.processAllocator === allocator) continue;
    problems.add(`${runtime.spec.title}: malloc is served by ${verification.processAllocator}`);
  }
  for (const { verification } of plain) {
    if (verification.processAllocator !== allocator) continue;
    problems.add(`${runtime.spec.title}: the plain run is under ${allocator}; is a preload set?`);
  }
  return [...problems];
}

function tableOf(comparisons: readonly Comparison[]): string {
  const table = new Table({
    head: ["runtime", "malloc", "verified", "runs", "time", "", "peak RSS", "", "RSS at end", ""],
    style: { head: [], border: [] },
  });
  for (const { runtime, plain, under } of comparisons) {
    for (const results of [plain, under]) {
      const all = results.every(({ verification }) => verification.processAllocatorVerified);
      const cells = [
        ...cellsOf(plain, results, ({ milliseconds: ms }) => ms, (ms) => `${ms.toFixed(0)} ms`),
        ...cellsOf(plain, results, ({ peakRss }) => peakRss, mebibytes),
        ...cellsOf(plain, results, ({ rss }) => rss, mebibytes),
      ];
      const name = results[0]?.verification.processAllocator ?? "-";
      table.push([runtime.spec.title, name, all ? "yes" : "NO", results.length, ...cells]);
    }
  }
  return table.toString();
}

function cellsOf(
  plain: readonly PipelineResult[],
  results: readonly PipelineResult[],
  value: (result: PipelineResult) => number,
  print: (value: number) => string,
): [string, string] {
  const own = medianOf(results.map(value));
  return [print(own), results === plain ? "" : `×${(own / medianOf(plain.map(value))).toFixed(2)}`];
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
