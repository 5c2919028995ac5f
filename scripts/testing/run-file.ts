/**
 * Runs one test file in one runtime, as a process of its own: a crash or a hang ends that file
 * only, and no file sees what another one left in its process.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { relative } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import { ROOT, type Runtime } from "../../tools/runtimes.ts";
import { parseSkips, parseTotals, type Skip, type Totals } from "./summary.ts";

/** What a run of one file takes. */
export interface RunOptions {
  /** Only tests whose name matches; all without it. */
  readonly filter?: string;
  /** The longest that a file may take, in milliseconds. */
  readonly timeout: number;
  /** Is given the output as it comes. */
  readonly write: (text: string) => void;
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

/** How a child process ended. */
interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly leftovers: boolean;
  readonly output: string;
}

const POSIX: boolean = process.platform !== "win32";
const running = new Set<ChildProcess>();

/** Ends every test process that still runs, with what they started. */
export function killRunning(): void {
  for (const child of running) killGroup(child);
}

/** Runs one file and judges how it ended. */
export async function runFile(
  runtime: Runtime,
  path: string,
  options: RunOptions,
): Promise<FileResult> {
  const { spec } = runtime;
  const file = relative(ROOT, path).replaceAll("\\", "/");
  const filter = options.filter === undefined ? [] : [spec.testFilter, options.filter];
  // Bun takes an argument without ./ as a pattern.
  const args = [...spec.test, ...filter, `./${file}`];
  const start = performance.now();
  const command = [...(runtime.prefix ?? []), runtime.binary, ...args];
  const ending = await execute(command, runtime.variables ?? {}, options);
  const milliseconds = performance.now() - start;
  const totals = parseTotals(spec.name, ending.output);
  const problem = findProblem(ending, totals, options);
  return {
    file,
    problem,
    passed: totals?.passed ?? 0,
    failed: (totals?.failed ?? 0) + (problem === null ? 0 : 1),
    skipped: totals?.skipped ?? 0,
    skips: parseSkips(spec.name, ending.output),
    milliseconds,
    output: ending.output,
  };
}

function execute(
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
  options: RunOptions,
): Promise<Ending> {
  const [binary = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      cwd: ROOT,
      detached: POSIX, // a group of its own, so that all of it can be ended
      env: { ...process.env, ...variables, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let output = "";
    let timedOut = false;
    const keep = (chunk: string): void => {
      output += chunk;
      options.write(chunk);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const limit = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, options.timeout);
    child.on("error", reject);
    child.on("exit", () => {
      clearTimeout(limit);
      // A process left behind may hold the pipes open, and this run with them.
      grace = setTimeout(() => {
        leftovers = killGroup(child);
      }, 2_000);
    });
    let grace: NodeJS.Timeout | undefined;
    let leftovers = false;
    child.on("close", (status, signal) => {
      clearTimeout(grace);
      killGroup(child);
      running.delete(child);
      resolve({ status, signal, timedOut, leftovers, output: stripVTControlCharacters(output) });
    });
  });
}

/** Ends a child's process group; whether there was anything left of it. */
function killGroup(child: ChildProcess): boolean {
  if (child.pid === undefined) return false;
  try {
    if (POSIX) process.kill(-child.pid, "SIGKILL");
    else return child.kill("SIGKILL");
    return true;
  } catch {
    return false; // ESRCH: nothing is left
  }
}

function findProblem(ending: Ending, totals: Totals | null, options: RunOptions): string | null {
  if (ending.timedOut) return `took longer than ${options.timeout / 1000} s and was ended`;
  if (ending.signal !== null) return `crashed with ${ending.signal}`;
  if (totals === null) return `ended with status ${ending.status} and without a summary`;
  if (options.filter !== undefined && totals.failed === 0 && totals.passed + totals.skipped === 0) {
    return null; // Bun's status is 1 when no name matches
  }
  if (totals.passed + totals.failed + totals.skipped === 0) return "has no tests";
  if (ending.status !== 0 && totals.failed === 0) {
    return `ended with status ${ending.status}, though no test failed`;
  }
  return ending.leftovers ? "left processes behind, which were ended" : null;
}
