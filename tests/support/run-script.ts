/**
 * Starting a script in the runtime that runs the tests.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TIMEOUT_MS = 120_000;

/** How a script ended. */
export interface ScriptResult {
  /** Its exit status; `null` when a signal ended it. */
  readonly status: number | null;
  /** The signal that ended it. */
  readonly signal: string | null;
  /** What it printed. */
  readonly stdout: string;
  /** What it printed as errors. */
  readonly stderr: string;
}

/** The command that runs a script of this repository in this runtime. */
export function scriptCommand(script: string, args: readonly string[] = []): string[] {
  const run = process.versions["deno"] === undefined ? [] : ["run", "-A"];
  return [process.execPath, ...run, ROOT + script, ...args];
}

/** Runs a command to its end, which comes after two minutes at the latest. */
export function runCommand(command: readonly string[]): Promise<ScriptResult> {
  return new Promise((resolve, reject) => {
    const [program = "", ...args] = command;
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk);
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk);
    child.on("error", reject);
    child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}
