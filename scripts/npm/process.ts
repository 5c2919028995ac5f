/**
 * Running the tools that check the packages, each with an end in time.
 *
 * @module
 */
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ownPath } from "../../tools/environment.ts";
import { type Ending, runToEnd } from "../../tools/processes.ts";

/** How long a tool may take. */
const LIMIT_MS = 5 * 60 * 1000;

/** Of a line that is shown: a runtime quotes the line that threw, and a bundle has few. */
const LONGEST_LINE = 300;

/** Where and with what a command runs. */
export interface RunOptions {
  /** The working directory. */
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs a command to its end. */
export function attempt(command: readonly string[], options: RunOptions): Promise<Ending> {
  return runToEnd(command, { ...options, limit: LIMIT_MS });
}

/**
 * Runs a command that has to end well.
 *
 * @returns What it wrote.
 * @throws {Error} with the end of its output when it fails.
 */
export async function run(command: readonly string[], options: RunOptions): Promise<string> {
  const { status, stdout, stderr } = await attempt(command, options);
  if (status === 0) return stdout;
  const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-25)
    .map((line) => line.slice(0, LONGEST_LINE)).join("\n  ");
  throw new Error(
    `"${command.join(" ")}" in "${options.cwd}" ended with status ${status}:\n  ${said}`,
  );
}

/** What a runtime wants in front of a script. */
const SCRIPT: readonly string[] = process.versions["deno"] === undefined ? [] : ["run", "-A"];

/** The command that runs a script in the runtime that runs this one. */
export function ownRuntime(...words: readonly string[]): [string, ...string[]] {
  return [process.execPath, ...SCRIPT, ...words];
}

/** npm as a script, which any Node can run. */
export function npmScript(): string {
  for (const directory of ownPath()) {
    const link = join(directory, "npm");
    if (!existsSync(link)) continue;
    const script = realpathSync(link);
    if (script.endsWith("npm-cli.js")) return script;
  }
  throw new Error("Cannot find npm: it must be on the path");
}
