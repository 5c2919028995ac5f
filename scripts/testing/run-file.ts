/**
 * Runs one test file in one runtime, as a process of its own: a crash or a hang ends that file
 * only, and no file sees what another one left in its process.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { environmentWithout } from "../../tools/environment.ts";
import { type Ending, runToEnd } from "../../tools/processes.ts";
import { ROOT } from "../../tools/paths.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import { readReport, type Skip, type Summary, type Totals } from "./summary.ts";

/** What a run of one file takes. */
export interface RunOptions {
  /** Only tests whose name matches; all without it. */
  readonly filter?: string;
  /** The longest that a file may take, in milliseconds. */
  readonly timeout: number;
}

/** How a file ended in one runtime. */
export interface FileResult extends Totals {
  /** The file's path from the repository's root. */
  readonly file: string;
  /** What went wrong beside single tests; it is counted as one failure. `null` when nothing did. */
  readonly problem: string | null;
  /** The skipped tests. */
  readonly skips: readonly Skip[];
  /** How long it took, in milliseconds. */
  readonly milliseconds: number;
  /** What it wrote. */
  readonly output: string;
}

/** Where reports are written. */
const REPORTS = join("build", "tests", "reports");

/** Runs one file and judges how it ended. */
export async function runFile(
  runtime: Runtime,
  path: string,
  options: RunOptions,
): Promise<FileResult> {
  const { spec } = runtime;
  const file = relative(ROOT, path).replaceAll(sep, "/");
  const { filter } = options;
  mkdirSync(join(ROOT, REPORTS), { recursive: true });
  const directory = mkdtempSync(join(ROOT, REPORTS, "file-"));
  const report = join(directory, "report.xml");
  try {
    const ending = await runToEnd([
      ...(runtime.prefix ?? []),
      runtime.binary,
      ...spec.test,
      // Bun for Windows opens no file by a relative path under wine.
      `${spec.testReport}${join(runtime.root ?? ROOT, relative(ROOT, report))}`,
      ...(filter === undefined ? [] : [spec.testFilter, filter]),
      runtime.bundle === undefined
        ? `./${file}` // Bun takes an argument without ./ as a pattern
        : join(runtime.bundle, file.replace(/ts$/, "js")),
    ], {
      cwd: ROOT,
      // Node writes no report in a process that its own test runner has started, as it takes this for.
      env: environmentWithout(/^NODE_TEST_CONTEXT$/, { ...runtime.variables, NO_COLOR: "1" }),
      limit: options.timeout,
      group: true,
    });
    const output = stripVTControlCharacters(ending.output);
    const chosen = filter === undefined ? () => true : (name: string) => matches(name, filter);
    const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
    const summary = readReport(xml, output, chosen);
    const problem = findProblem(ending, summary, options);
    return {
      file,
      problem,
      passed: summary?.passed ?? 0,
      failed: (summary?.failed ?? 0) + (problem === null ? 0 : 1),
      skipped: summary?.skipped ?? 0,
      skips: summary?.skips ?? [],
      milliseconds: ending.milliseconds,
      output,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Whether a filter takes a name: Deno's are plain text, the others' are regular expressions. */
function matches(name: string, filter: string): boolean {
  return name.includes(filter) || new RegExp(filter).test(name);
}

function findProblem(ending: Ending, totals: Summary | null, options: RunOptions): string | null {
  if (ending.late) return `took longer than ${options.timeout / 1000} s and was ended`;
  if (ending.signal !== null) return `crashed with ${ending.signal}`;
  if (totals === null) {
    return `ended with status ${ending.status} and its report is missing or truncated`;
  }
  if (options.filter !== undefined && totals.failed === 0 && totals.passed === 0) {
    return null; // Bun's status is 1 when no name matches
  }
  if (totals.passed + totals.failed + totals.skipped === 0) return "has no tests";
  if (ending.status !== 0 && totals.failed === 0) {
    return `ended with status ${ending.status}, though no test failed`;
  }
  return ending.leftovers ? "left processes running, which were ended" : null;
}
