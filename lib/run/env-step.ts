/**
 * The step that `env`, as the command or in a `#!` line, makes on the way to the program.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import { basename } from "node:path";
import { LaunchError } from "../errors.ts";
import { type EnvCommand, parseEnvCommand } from "./env-command.ts";
import { findCommand, fromDirectory } from "./command-path.ts";
import type { Arrival, Execution, LaunchStep } from "./types.ts";

/**
 * Whether a program is `env`, by its name or by that of the file which a link leads to. The system
 * follows the links: a directory on the way may have a name that is no text.
 */
function isEnv(path: string, cwd: string): boolean {
  if (basename(path) === "env") return true;
  try {
    return basename(realpathSync.native(fromDirectory(cwd, path))) === "env";
  } catch (error) {
    // Deno's, which has no other mark.
    if (!(error instanceof Error && error.name === "InvalidData")) throw error;
    throw new LaunchError(
      `Cannot check "${path}" before it is run: it leads to a path that is not UTF-8, which Deno ` +
        "does not read. Start offheap in Node or Bun.",
      126,
      { cause: error },
    );
  }
}

/**
 * Whether the chain is at an `env`: the command itself, or what a script's `#!` line names. Paths
 * start from `cwd`.
 */
export function runsEnv(chain: readonly LaunchStep[], cwd: string): boolean {
  const last = chain.at(-1);
  const before = chain.at(-2);
  const named = before === undefined || (before.kind === "script" && before.by === "shebang");
  return named && last?.kind === "program" && isEnv(last.path, cwd);
}

/** What decides the arguments of `env`, with its verb, for messages. */
function whatMakes(command: string): string {
  return basename(command) === "env" ? "its arguments make it" : 'its #! line makes "env"';
}

/** Where to take a word out of. */
function place(command: string): string {
  return basename(command) === "env" ? "the command" : "that line";
}

/** Refuses what would leave the program without the preload, or without the check inside it. */
function requireFixed(
  command: string,
  { dropped, assigned }: EnvCommand,
  fixed: ReadonlySet<string>,
): void {
  const refuse = (what: string, word: string): never => {
    throw new LaunchError(
      `Cannot run "${command}" under an allocator: ${whatMakes(command)} ${what}. ` +
        `Take ${word} out of ${place(command)}.`,
    );
  };
  const [preload = ""] = fixed;
  if (dropped === "all") return refuse(`drop ${preload}`, "-i");
  const lost = dropped.find((name) => fixed.has(name));
  if (lost !== undefined) return refuse(`drop ${lost}`, `-u ${lost}`);
  const set = assigned.find((name) => fixed.has(name));
  if (set !== undefined) refuse(`set ${set}, which offheap sets itself`, `"${set}=…"`);
}

/**
 * What `env` executes next; `null` when it executes nothing.
 *
 * @param command The command that is run, for messages.
 * @param fixed The variables that the launch sets, the preload's first.
 * @throws {LaunchError} status 125 when it would drop or change one of them, or start another `env`,
 * or when its arguments are not understood; 126 and 127 as {@linkcode findCommand}.
 */
export function afterEnv(
  command: string,
  { execution, argv }: Arrival,
  fixed: ReadonlySet<string>,
): Execution | null {
  const { environment, cwd } = execution;
  const env = parseEnvCommand(argv.slice(1), environment);
  if (env.command === null) return null;
  requireFixed(command, env, fixed);
  const directory = env.directory === null ? cwd : fromDirectory(cwd, env.directory);
  const path = findEnvCommand(command, env.command, env.environment.PATH, directory);
  if (isEnv(path, directory)) {
    throw new LaunchError(
      `Cannot run "${command}" under an allocator: ${whatMakes(command)} start another "env". ` +
        "Name the program after the first one.",
    );
  }
  return { path, argv: [env.command, ...env.args], environment: env.environment, cwd: directory };
}

function findEnvCommand(
  script: string,
  name: string,
  path: string | undefined,
  cwd: string,
): string {
  try {
    return findCommand(name, path, cwd);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    if (basename(script) === "env") throw error;
    const hint = name.includes(" ") ? ' "env" takes several words only with -S.' : "";
    throw new LaunchError(
      `Cannot run "${script}", whose #! line names "env": ${error.message}${hint}`,
      error.status,
      { cause: error },
    );
  }
}
