/**
 * Runs a command to its end, or ends it with all that it started when it takes too long.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { ROOT } from "../../tools/runtimes.ts";

/** How a command ended. */
export interface BoundedEnding {
  /** Its exit status; `null` after a signal. */
  readonly status: number | null;
  /** How it ended, in words. */
  readonly how: string;
  /** What it wrote. */
  readonly stdout: string;
  /** What it complained about. */
  readonly stderr: string;
}

const running = new Set<ChildProcess>();

/** Ends what still runs. */
export function endBounded(): void {
  for (const child of running) endGroup(child);
}

/** Runs a command in the repository's root. */
export function runBounded(
  command: readonly string[],
  options: { readonly variables: Readonly<Record<string, string>>; readonly timeout: number },
): Promise<BoundedEnding> {
  const [file = "", ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: ROOT,
      detached: process.platform !== "win32",
      env: { ...process.env, ...options.variables, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let stdout = "";
    let stderr = "";
    let late = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
    const limit = setTimeout(() => {
      late = true;
      endGroup(child);
    }, options.timeout);
    child.on("error", (error) => finish(null, error.message));
    // What it left behind may hold the pipes open.
    child.on("exit", () => setTimeout(() => endGroup(child), 1000).unref());
    child.on("close", (status, signal) => {
      const ended = signal === null ? `status ${status}` : signal;
      finish(status, late ? `took longer than ${options.timeout / 1000} s` : ended);
    });

    function finish(status: number | null, how: string): void {
      clearTimeout(limit);
      running.delete(child);
      resolve({ status, how, stdout, stderr });
    }
  });
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === "win32") child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nothing is left of it.
  }
}
