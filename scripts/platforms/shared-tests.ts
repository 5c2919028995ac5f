/**
 * Runs the shared tests in a row's runtime.
 *
 * @module
 */
import { join } from "node:path";
import { ROOT } from "../../tools/paths.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import { testFiles } from "../testing/files.ts";
import { type FileResult, runFile } from "../testing/run-file.ts";
import type { PlatformRow } from "./matrix.ts";
import { isComplete, selectTests } from "./test-selection.ts";
import type { SharedTests } from "./types.ts";

/** How the files are run. */
export interface SharedTestOptions {
  /** The longest that a file may take, in milliseconds. */
  readonly timeout: number;
  /** Files at once. */
  readonly jobs: number;
  /** Is given a line for each file, and the output of one that failed. */
  readonly write: (text: string) => void;
}

/** Runs the files that a row can run. */
export async function runSharedTests(
  row: PlatformRow,
  runtime: Runtime,
  options: SharedTestOptions,
): Promise<SharedTests> {
  const { files, leftOut } = selectTests(row, testFiles());
  const alone: Record<string, string> = isComplete(row) ? { OFFHEAP_TEST_ALONE: "1" } : {};
  const here = { ...runtime, variables: { ...runtime.variables, ...alone } };
  const results: FileResult[] = [];
  let next = 0;
  async function work(): Promise<void> {
    for (let index = next++; index < files.length; index = next++) {
      const path = join(ROOT, "tests", `${files[index]}.test.ts`);
      const result = await runFile(here, path, { timeout: options.timeout });
      results[index] = result;
      const { file, passed, failed, skipped, milliseconds } = result;
      const time = `${(milliseconds / 1000).toFixed(1)} s`;
      options.write(`  ${file}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${time}`);
      if (failed > 0) options.write(result.output);
    }
  }
  // Under wine 8, files that ran beside each other stopped at random places and never went on;
  // one after the other they pass.
  const jobs = row.way === "wine" ? 1 : options.jobs;
  await Promise.all(Array.from({ length: jobs }, work));
  const sum = (value: (result: FileResult) => number): number =>
    results.reduce((total, result) => total + value(result), 0);
  return {
    files,
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: sum(({ skipped }) => skipped),
    problems: results.filter(({ failed }) => failed > 0).map(({ file, failed, problem }) =>
      `${file}: ${problem ?? `${failed} failed`}`
    ),
    leftOut,
  };
}
