/**
 * `npm test`: builds what is missing, then runs the shared tests in every runtime. The last line
 * is the total, in the form `N passed, N failed`.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { relative, resolve } from "node:path";
import process from "node:process";
import Table from "cli-table3";
import { Command } from "commander";
import { hostTarget } from "../lib/library/target.ts";
import { buildMissing, positive } from "../tools/common.ts";
import {
  findRuntimes,
  type MissingRuntime,
  parseRuntimeNames,
  ROOT,
  type Runtime,
} from "../tools/runtimes.ts";
import { testFiles } from "./testing/files.ts";
import { reasonToLeaveOut } from "./testing/left-out.ts";
import { withoutSystemPreload } from "./testing/own-system.ts";
import { type FileResult, killRunning, runFile } from "./testing/run-file.ts";
import {
  differencesOf,
  explainFailures,
  explainLeftOut,
  explainSkips,
  lacksTests,
  slowestFiles,
} from "./testing/report.ts";

/** The command line's options. */
interface Options {
  readonly runtime: string[];
  readonly filter?: string;
  readonly timeout: number;
  readonly jobs: number;
  readonly build: boolean;
  readonly mimalloc?: string;
  readonly jemalloc?: string;
}

/** What one runtime's run came to. */
interface RuntimeResult {
  readonly runtime: Runtime;
  readonly files: readonly FileResult[];
  /** Files that have nothing to test in it, each with the reason. */
  readonly leftOut: readonly (readonly [file: string, reason: string])[];
  readonly milliseconds: number;
}

const program: Command = new Command("npm test --")
  .description("Runs the shared tests in every runtime.")
  .argument("[files...]", "parts of file names, or paths; all of tests/ without any")
  .option(
    "-r, --runtime <names...>",
    "only these: deno, bun, node26, node22 (files go before it)",
    [],
  )
  .option("-f, --filter <pattern>", "only tests whose name matches")
  .option("-t, --timeout <seconds>", "the longest that one file may take", positive, 300)
  .option("-j, --jobs <count>", "files at once", positive, Math.min(2, availableParallelism()))
  .option("--no-build", "do not look whether the native libraries are built")
  .option("--mimalloc <source>", "with mimalloc built from this directory, archive or URL")
  .option("--jemalloc <source>", "with jemalloc built from this directory, archive or URL");

try {
  program.parse();
  await main(program.args, program.opts<Options>());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  finish(0, 1, 0);
}

async function main(args: readonly string[], options: Options): Promise<void> {
  const specs = parseRuntimeNames(options.runtime);
  const files = findFiles(args);
  process.on("exit", killRunning);
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  const { mimalloc, jemalloc } = options;
  if (options.build) buildMissing(["secure", "debug"], { mimalloc, jemalloc });
  const { found, missing } = await findRuntimes(specs);
  const prefix = withoutSystemPreload();
  const results: RuntimeResult[] = [];
  for (const runtime of found) {
    results.push(await runRuntime({ ...runtime, prefix }, files, options));
  }
  report(results, missing, options);
}

/** The test files whose path contains one of the arguments. */
function findFiles(args: readonly string[]): string[] {
  const chosen = testFiles().filter((path) =>
    args.length === 0 || args.some((arg) => path.includes(arg) || path === resolve(arg))
  );
  if (chosen.length > 0) return chosen;
  throw new Error(`Cannot run tests: no file in tests/ matches ${args.join(" ")}`);
}

/**
 * Runs the files, several at once. The oldest that still runs writes as it goes; the others'
 * output waits for its turn, so that no two are mixed.
 */
async function runRuntime(
  runtime: Runtime,
  chosen: readonly string[],
  options: Options,
): Promise<RuntimeResult> {
  const start = performance.now();
  const pinned = options.mimalloc === undefined && options.jemalloc === undefined;
  const place = { target: hostTarget(), runtime: runtime.spec.name, pinned };
  const files: string[] = [];
  const leftOut: (readonly [string, string])[] = [];
  for (const path of chosen) {
    const reason = reasonToLeaveOut(path, place);
    if (reason === null) files.push(path);
    else leftOut.push([relative(ROOT, path), reason]);
  }
  const waiting = files.map((): string[] => []);
  const done = files.map(() => false);
  const results: FileResult[] = [];
  let head = 0;
  let next = 0;

  function advance(): void {
    while (head < files.length) {
      for (const text of waiting[head]?.splice(0) ?? []) process.stdout.write(text);
      if (done[head] !== true) return;
      head++;
    }
  }

  async function work(): Promise<void> {
    for (let index = next++; index < files.length; index = next++) {
      const lines = waiting[index] ?? [];
      const write = (text: string): void => {
        lines.push(text);
        advance();
      };
      const path = files[index] ?? "";
      write(`\n=== ${runtime.spec.title} ${runtime.version}: ${path.slice(ROOT.length)}\n`);
      const result = await runFile(runtime, path, {
        ...options,
        timeout: options.timeout * 1000,
        write,
      });
      if (result.problem !== null) write(`FAILED: ${result.file} ${result.problem}\n`);
      results[index] = result;
      done[index] = true;
      advance();
    }
  }

  await Promise.all(Array.from({ length: Math.max(1, options.jobs) }, work));
  return { runtime, files: results, leftOut, milliseconds: performance.now() - start };
}

function report(
  results: readonly RuntimeResult[],
  missing: readonly MissingRuntime[],
  options: Options,
): void {
  const table = new Table({
    head: ["runtime", "version", "files", "passed", "failed", "skipped", "time"],
    style: { head: [], border: [] },
  });
  const total = { passed: 0, failed: missing.length, skipped: 0 };
  for (const { runtime, files, leftOut, milliseconds } of results) {
    const sums = { passed: 0, failed: 0, skipped: 0 };
    for (const file of files) {
      sums.passed += file.passed;
      sums.failed += file.failed;
      sums.skipped += file.skipped;
    }
    if (lacksTests(sums, leftOut.length)) {
      sums.failed = 1;
      console.log(`\nFAILED: ${runtime.spec.title} ran no tests`);
    }
    const time = `${(milliseconds / 1000).toFixed(1)} s`;
    table.push([
      runtime.spec.title,
      runtime.version,
      files.length,
      sums.passed,
      sums.failed,
      sums.skipped,
      time,
    ]);
    total.passed += sums.passed;
    total.failed += sums.failed;
    total.skipped += sums.skipped;
  }
  for (const { spec } of missing) table.push([spec.title, "missing", 0, 0, 1, 0, "-"]);
  console.log(`\n${table.toString()}`);
  for (const { spec, reason } of missing) {
    console.log(`\nFAILED: ${spec.title} is missing: ${reason}`);
  }
  const byRuntime = results.map(({ runtime, files }) => ({ title: runtime.spec.title, files }));
  const slowest = new Table({
    head: ["slowest files, in seconds", "sum", ...byRuntime.map(({ title }) => title)],
    style: { head: [], border: [] },
  });
  slowest.push(...slowestFiles(byRuntime));
  console.log(`\n${slowest.toString()}`);
  for (const line of explainSkips(byRuntime)) console.log(line);
  const left = results.map(({ runtime, leftOut }) => ({ title: runtime.spec.title, leftOut }));
  for (const line of explainLeftOut(left)) console.log(line);
  if (options.filter === undefined) {
    for (const line of differencesOf(byRuntime)) {
      console.log(line);
    }
  }
  for (const line of explainFailures(byRuntime)) console.log(line);
  if (lacksTests(total, 0)) {
    total.failed = 1;
    console.log("\nFAILED: no tests ran: every file that has one was left out");
  }
  finish(total.passed, total.failed, total.skipped);
}

function finish(passed: number, failed: number, skipped: number): void {
  if (failed > 0) process.exitCode = 1;
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
}
