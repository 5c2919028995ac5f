/**
 * Commands of the matrix: one that cannot be started, or takes too long, is a result like others.
 *
 * @module
 */
import process from "node:process";
import { howItEnded, runToEnd } from "../../tools/processes.ts";
import { ROOT } from "../../tools/paths.ts";

/** How a command ended. */
export interface BoundedEnding {
  /** How it ended, in words. */
  readonly how: string;
  /** What it wrote to standard output. */
  readonly stdout: string;
  /** What it wrote to standard error. */
  readonly stderr: string;
}

/** Runs a command in the repository's root, and ends it with all that it started. */
export async function runBounded(
  command: readonly string[],
  options: { readonly variables: Readonly<Record<string, string>>; readonly timeout: number },
): Promise<BoundedEnding> {
  try {
    const ending = await runToEnd(command, {
      cwd: ROOT,
      env: { ...process.env, ...options.variables, NO_COLOR: "1" },
      limit: options.timeout,
      group: true,
    });
    return { how: howItEnded(ending), stdout: ending.stdout, stderr: ending.stderr };
  } catch (error) {
    return { how: error instanceof Error ? error.message : String(error), stdout: "", stderr: "" };
  }
}
