/**
 * `npm test`: builds what is missing, then runs the shared tests in every runtime. The last line
 * is the total, in the form `N passed, N failed`.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import Table from "cli-table3";
import { Command } from "commander";
import { hostTarget } from "../lib/library/target.ts";
import { buildMissing, positive } from "../tools/common.ts";
import { endRunning } from "../tools/processes.ts";
import { ROOT } from "../tools/paths.ts";
import {
  findRuntimes,
  type MissingRuntime,
  parseRuntimeNames,
  type Runtime,
} from "../tools/runtimes.ts";
import { bundlePrograms } from "./testing/bundle.ts";
import { chosenTests, testName } from "./testing/files.ts";
import { reasonToLeaveOut } from "./testing/left-out.ts";
import { makePages } from "./pages/make.ts";
import { withoutSystemPreload } from "./testing/own-system.ts";
import { inOrder, type Job, runQueue } from "./testing/queue.ts";
import { type FileResult, runFile } from "./testing/run-file.ts";
import {
  differencesOf,
  explainFailures,
  explainLeftOut,
  explainSkips,
  lacksTests,
  slowestFiles,
} from "./testing/report.ts";
import { expectedSeconds, keepSeconds } from "./testing/times.ts";

/** The command line's options. */
interface Options {
  readonly runtime: string[];
  readonly filter?: string;
  readonly timeout: number;
  readonly jobs: number;
  readonly build: boolean;
  readonly everywhere: boolean;
  readonly mimalloc?: string;
  readonly jemalloc?: string;
}

/** What one runtime's run came to. */
interface RuntimeResult {
  readonly runtime: Runtime;
  readonly files: readonly FileResult[];
  /** Files that have nothing to test in it, each with the reason. */
  readonly leftOut: readonly (readonly [file: string, reason: string])[];
}

/** What one runtime is to run. */
interface Plan extends Omit<RuntimeResult, "files"> {
  readonly jobs: readonly Job[];
}

/** Two more than processors work on, as files wait for a third of their time, and some for most. */
const FILES_AT_ONCE: number = Math.min(2, availableParallelism()) + 2;

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
  .option("-j, --jobs <count>", "files at once", positive, FILES_AT_ONCE)
  .option("--everywhere", "all files in all runtimes that they can run in", false)
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
  const files = chosenTests(args);
  process.on("exit", endRunning);
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  const { mimalloc, jemalloc } = options;
  if (options.build) buildMissing(["secure", "debug"], { mimalloc, jemalloc });
  const { found, missing } = await findRuntimes(specs);
  const prefix = withoutSystemPreload();
  await makePages();
  const bundle = await bundlePrograms();
  const variables = {
    OFFHEAP_TEST_BUNDLE: bundle,
    ...(options.everywhere ? { OFFHEAP_TEST_EVERYWHERE: "1" } : {}),
  };
  // Bun takes the variable, too, and keeps the directory open, which the programs of tests would see.
  const nodes = {
    ...variables,
    NODE_COMPILE_CACHE: join(ROOT, "build", "tests", "compile-cache"),
  };
  const runtimes = found.map((runtime) => ({
    ...runtime,
    prefix,
    // The others read TypeScript as fast as JavaScript, and show its lines where a test fails.
    ...(runtime.spec.command === "node" ? { variables: nodes, bundle } : { variables }),
  }));
  const start = performance.now();
  const results = await runAll(plan(runtimes, files, options), options);
  report(results, missing, options, (performance.now() - start) / 1000);
}

/** The jobs of all runtimes, and what each leaves out. */
function plan(runtimes: readonly Runtime[], chosen: readonly string[], options: Options): Plan[] {
  const pinned = options.mimalloc === undefined && options.jemalloc === undefined;
  const { everywhere } = options;
  return runtimes.map((runtime) => {
    const place = { target: hostTarget(), runtime: runtime.spec.name, pinned, everywhere };
    const reasons = chosen.map((path) => ({ path, reason: reasonToLeaveOut(path, place) }));
    return {
      runtime,
      jobs: reasons.flatMap(({ path, reason }) => reason === null ? [{ runtime, path }] : []),
      leftOut: reasons.flatMap(({ path, reason }) =>
        reason === null ? [] : [[relative(ROOT, path), reason] as const]
      ),
    };
  });
}

/** Runs the files of all runtimes, several at once; each one's output is printed when it ends. */
async function runAll(plans: readonly Plan[], options: Options): Promise<RuntimeResult[]> {
  const jobs = inOrder(plans.flatMap(({ jobs }) => jobs), expectedSeconds());
  const results = new Map(plans.map(({ runtime }) => [runtime, [] as FileResult[]]));
  const seconds: Parameters<typeof keepSeconds>[0][number][] = [];
  let left = jobs.length;
  await runQueue(jobs, options.jobs, async ({ runtime, path }) => {
    const { filter } = options;
    const timeout = options.timeout * 1000;
    const result = await runFile(runtime, path, {
      timeout,
      ...(filter === undefined ? {} : { filter }),
    });
    results.get(runtime)?.push(result);
    const { file, milliseconds, problem, output } = result;
    seconds.push({ name: testName(path), runtime: runtime.spec.name, milliseconds });
    const took = `${(milliseconds / 1000).toFixed(1)} s; ${--left} to go`;
    const end = problem === null ? "" : `FAILED: ${file} ${problem}\n`;
    const title = `=== ${runtime.spec.title} ${runtime.version}: ${file} (${took})`;
    process.stdout.write(`\n${title}\n${output}${end}`);
  });
  if (options.filter === undefined) keepSeconds(seconds);
  return plans.map(({ runtime, leftOut }) => ({
    runtime,
    files: results.get(runtime) ?? [],
    leftOut,
  }));
}

function report(
  results: readonly RuntimeResult[],
  missing: readonly MissingRuntime[],
  options: Options,
  seconds: number,
): void {
  const table = new Table({
    head: ["runtime", "version", "files", "passed", "failed", "skipped", "files' time"],
    style: { head: [], border: [] },
  });
  const total = { passed: 0, failed: missing.length, skipped: 0 };
  for (const { runtime, files, leftOut } of results) {
    const sums = { passed: 0, failed: 0, skipped: 0 };
    let milliseconds = 0;
    for (const file of files) {
      milliseconds += file.milliseconds;
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
  table.push(["all", "", "", total.passed, total.failed, total.skipped, `${seconds.toFixed(0)} s`]);
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
  const { lines: skips, unexplained } = explainSkips(byRuntime);
  for (const line of skips) console.log(line);
  const left = results.map(({ runtime, leftOut }) => ({ title: runtime.spec.title, leftOut }));
  for (const line of explainLeftOut(left)) console.log(line);
  if (options.filter === undefined) {
    for (const line of differencesOf(byRuntime)) {
      console.log(line);
    }
  }
  for (const line of explainFailures(byRuntime)) console.log(line);
  if (unexplained > 0 && options.filter === undefined) {
    total.failed += unexplained;
    console.log(`\nFAILED: ${unexplained} tests were skipped without a printed reason`);
  }
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
