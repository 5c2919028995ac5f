/**
 * `npm run coverage`: runs the tests of `lib` and `ffi` in Node 26, from the sources, and prints how
 * many of their lines ran, in the tests and in the processes that they start. Words choose test
 * files, as with `npm test`.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import Table from "cli-table3";
import { Command } from "commander";
import { hostTarget } from "../lib/library/target.ts";
import { buildMissing } from "../tools/common.ts";
import { endRunning } from "../tools/processes.ts";
import { ROOT } from "../tools/paths.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";
import { Coverage, type Lines } from "./testing/coverage.ts";
import { chosenTests, testName } from "./testing/files.ts";
import { reasonToLeaveOut } from "./testing/left-out.ts";
import { withoutSystemPreload } from "./testing/own-system.ts";
import { inOrder, runQueue } from "./testing/queue.ts";
import { runFile } from "./testing/run-file.ts";
import { expectedSeconds } from "./testing/times.ts";

/** The longest that a file may take, in milliseconds: counting makes it slower. */
const TIMEOUT = 15 * 60 * 1000;

/** Files at once. */
const AT_ONCE = 2;

/** Folders whose files are about other folders than `lib` and `ffi`. */
const OTHERS = /^(?:bench|build|npm)\//;

/** Files that are listed by name: those with the most lines that did not run. */
const LISTED = 15;

const { args: words } = new Command("npm run coverage --")
  .description("Runs the tests of lib and ffi in Node 26, and counts the lines that ran.")
  .argument("[files...]", "parts of file names; all without any")
  .parse();
process.on("exit", endRunning);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
buildMissing(["secure", "debug"]);
const { found: [runtime], missing } = await findRuntimes(parseRuntimeNames(["node26"]));
if (runtime === undefined) throw new Error(`Cannot count lines: ${missing[0]?.reason}`);
const place = { target: hostTarget(), runtime: "node26", pinned: true, everywhere: true } as const;
const chosen = chosenTests(words).filter((path) =>
  reasonToLeaveOut(path, place) === null && !OTHERS.test(testName(path))
);
if (chosen.length === 0) throw new Error("Cannot count lines: no such file is about lib or ffi");
const coverage = new Coverage();
const prefix = withoutSystemPreload();
let failed = 0;
const jobs = inOrder(chosen.map((path) => ({ runtime, path })), expectedSeconds());
let left = jobs.length;
await runQueue(jobs, AT_ONCE, async ({ path }) => {
  const directory = mkdtempSync(join(tmpdir(), "offheap-coverage-"));
  const variables = { NODE_V8_COVERAGE: directory, OFFHEAP_TEST_ALONE: "1" };
  const result = await runFile({ ...runtime, prefix, variables }, path, { timeout: TIMEOUT });
  coverage.add(directory);
  rmSync(directory, { recursive: true, force: true });
  failed += result.failed;
  const problem = result.failed > 0 ? `: FAILED\n${result.output}` : "";
  console.log(`${relative(ROOT, path)} (${--left} to go)${problem}`);
});
report(coverage.files());
if (failed > 0) {
  console.log(`\n${failed} tests failed: the figures are not those of a whole run`);
  process.exitCode = 1;
}

function share({ covered, total }: Lines): string {
  return `${(100 * covered / total).toFixed(1)} %`;
}

function report(files: ReadonlyMap<string, Lines>): void {
  const table = new Table({
    head: ["folder or file", "lines", "ran", "share"],
    style: { head: [], border: [] },
  });
  const folders = new Map<string, { total: number; covered: number }>();
  for (const [name, { total, covered }] of files) {
    const folder = name.split(/[\\/]/).slice(0, name.startsWith("lib") ? 2 : 1).join("/");
    const sum = folders.get(folder) ?? { total: 0, covered: 0 };
    folders.set(folder, { total: sum.total + total, covered: sum.covered + covered });
  }
  const worst = [...files].sort(([, a], [, b]) => b.total - b.covered - a.total + a.covered);
  for (const [name, lines] of [...folders, ...worst.slice(0, LISTED)]) {
    table.push([name, lines.total, lines.covered, share(lines)]);
  }
  console.log(table.toString());
  for (const part of ["ffi", "lib"]) {
    const own = [...folders].filter(([name]) => name.split("/", 1)[0] === part);
    const total = own.reduce((sum, [, lines]) => sum + lines.total, 0);
    const covered = own.reduce((sum, [, lines]) => sum + lines.covered, 0);
    console.log(`${part}: ${share({ total, covered })} of ${total} lines ran`);
  }
}
