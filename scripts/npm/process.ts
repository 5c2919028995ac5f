/**
 * Running the tools that check the packages, each with an end in time.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { type Ending, runToEnd } from "../../tools/processes.ts";

/** How long a tool may take. */
const LIMIT_MS = 5 * 60 * 1000;

/** Of a line that is shown: a runtime quotes the line that threw, and a bundle has few. */
const LONGEST_LINE = 300;

/** Variables that would change what is checked; certificates that a network needs are kept. */
const SETTINGS = /^(npm_|NPM_|NODE_(?!EXTRA_CA_CERTS$)|DENO_|BUN_|OFFHEAP_|LD_PRELOAD$)/;

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

/** The path without what npm puts in front of it for its scripts. */
function ownPath(): string[] {
  return (process.env["PATH"] ?? "").split(delimiter)
    .filter((directory) => !directory.includes("node_modules"));
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

/**
 * Runs a command with the Node and the settings that npm has on this machine.
 *
 * @returns What it wrote.
 * @throws {Error} with what it wrote to standard error when it fails.
 */
export function runOnMachine(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, PATH: ownPath().join(delimiter) },
  });
  if (status === 0) return stdout.trim();
  throw new Error(`Cannot run ${command} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}

/**
 * This process's environment for another one: without what npm set for its script, and with another
 * Node first on the path.
 *
 * @param binary A binary whose directory comes first.
 */
export function cleanEnvironment(
  binary: string,
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] =>
    entry[1] !== undefined && !SETTINGS.test(entry[0])
  );
  return {
    ...Object.fromEntries(kept),
    PATH: [dirname(binary), ...ownPath()].join(delimiter),
    NO_COLOR: "1",
    ...variables,
  };
}
