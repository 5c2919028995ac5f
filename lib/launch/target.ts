/**
 * Following a command to the program that runs in the end.
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";
import { basename, resolve } from "node:path";
import process from "node:process";
import { inspect } from "node:util";
import { isPermissionRefusal, permissionError } from "../../ffi/errors.ts";
import { LaunchError } from "../errors.ts";
import { parseEnvCommand } from "./env-command.ts";
import { FORMATS } from "./formats.ts";
import { type LaunchPlatform, launchPlatform } from "./platforms.ts";
import { requireExecutable, resolveCommand } from "./resolve.ts";
import { parseShebang, SHEBANG_BYTES } from "./shebang.ts";
import type { LaunchHost, LaunchRequest, LaunchStep, LaunchTarget, ProgramFile } from "./types.ts";
import { wrappedCommand } from "./wrappers.ts";

/** How many scripts in a row the kernel follows. */
const KERNEL_DEPTH = 4;
/** A bound for scripts whose `env` starts another script, which the kernel does not count. */
const LONGEST_CHAIN = 32;
const SHELL = "/bin/sh";

/** What a host preloads by, when it does not say. */
function platformOf(host: LaunchHost): LaunchPlatform {
  return host.platform ?? launchPlatform(undefined, "linux");
}

/** One call of `execve`. */
interface Execution {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Where one call of `execve` ends. */
interface Arrival {
  readonly execution: Execution;
  /** What the program itself gets as its arguments. */
  readonly argv: readonly string[];
  readonly program: ProgramFile;
}

/**
 * Looks up a command as `execvp` does, and follows scripts, `env` in their `#!` lines included, and
 * static wrappers such as `gosu` to the program that runs in the end.
 *
 * @throws {LaunchError} status 127 when something on the way is not found, 126 when it cannot be
 * executed, 125 when the way cannot be followed or drops the preload.
 * @throws {TypeError} when the command or an argument is no string, or holds a NUL character.
 */
export function resolveLaunchTarget(request: LaunchRequest, host: LaunchHost): LaunchTarget {
  const { command, args = [], environment } = request;
  for (const [index, word] of [command, ...args].entries()) {
    if (typeof word === "string" && !word.includes("\0")) continue;
    const what = index === 0 ? "the command" : `argument ${index}`;
    throw new TypeError(
      `Cannot run a command: ${what} must be a string without NUL; got ${inspect(word)}`,
    );
  }
  const cwd = resolve(request.cwd ?? workingDirectory());
  const path = resolveCommand(command, environment.PATH, cwd);
  const chain: LaunchStep[] = [];
  const { envKeepsPreload, preloadVariable } = platformOf(host);
  let start = arrive({ path, argv: [command, ...args], environment, cwd }, chain, host);
  let last = start;
  for (;;) {
    const wrapped = afterWrapper(last, chain);
    const next = wrapped ?? (runsEnv(chain) ? afterEnv(command, last, preloadVariable) : null);
    if (next === null) break;
    // Then this process does what `env` would, and no such program runs.
    const instead = wrapped === null && !envKeepsPreload;
    if (instead) chain.pop();
    last = arrive(next, chain, host);
    if (instead) start = last;
  }
  const { execution } = start;
  return {
    command,
    path: execution.path,
    argv: execution.argv,
    environment: execution.environment,
    directory: execution.cwd === cwd ? null : execution.cwd,
    chain,
    program: last.program,
    libc: last.program.libc,
  };
}

/** A way to look at files in the working directory, also when its name is none that can be written. */
function workingDirectory(): string {
  const name = process.cwd();
  return process.platform === "linux" && name.includes("\uFFFD") ? "/proc/self/cwd" : name;
}

/** Follows one `execve` through scripts to a program, and notes each file in the chain. */
function arrive(execution: Execution, chain: LaunchStep[], host: LaunchHost): Arrival {
  const { cwd } = execution;
  let { path, argv } = execution;
  for (let depth = 0;; depth++) {
    const file = resolve(cwd, path);
    const head = readHead(path, file);
    const format = FORMATS[platformOf(host).format];
    if (format.recognises(head)) {
      const program = format.readProgram(path, file, host);
      chain.push({ kind: "program", path, program });
      return { execution, argv, program };
    }
    if (depth >= KERNEL_DEPTH || chain.length >= LONGEST_CHAIN) {
      const most = depth >= KERNEL_DEPTH ? KERNEL_DEPTH : LONGEST_CHAIN;
      throw new LaunchError(
        `Cannot run "${execution.path}": its interpreters are scripts themselves, more than ` +
          `${most} in a row ("${path}" is one). Name a program in the #! line.`,
      );
    }
    const shebang = parseShebang(head);
    if (shebang === null) {
      if (head.includes(0)) {
        throw new LaunchError(
          `Cannot run "${path}": it is neither a script nor a program of a known format. ` +
            "Use a build of it for this system.",
          126,
        );
      }
      return arriveAtShell(execution, path, chain, host);
    }
    const { interpreter, argument } = shebang;
    chain.push({ kind: "script", path, interpreter, argument, by: "shebang" });
    const hint = interpreter.endsWith("\r") ? " (its lines end in CR LF)" : "";
    requireExecutable(
      interpreter,
      cwd,
      `Cannot run "${path}": its #! line${hint} names an interpreter that cannot run`,
    );
    argv = [interpreter, ...argumentsOf(argument, host), path, ...argv.slice(1)];
    path = interpreter;
  }
}

/** What a `#!` line gives its interpreter before the script's path. */
function argumentsOf(argument: string | null, host: LaunchHost): string[] {
  if (argument === null) return [];
  return platformOf(host).splitsShebang ? argument.split(/[ \t]+/) : [argument];
}

/** The kernel refuses a script without a `#!` line; `execvp` then hands the file to the shell. */
function arriveAtShell(
  execution: Execution,
  refused: string,
  chain: LaunchStep[],
  host: LaunchHost,
): Arrival {
  const { path, argv } = execution;
  if (path === SHELL) {
    throw new LaunchError(`Cannot run "${refused}": "${SHELL}" is not a program.`, 126);
  }
  chain.push({ kind: "script", path, interpreter: SHELL, argument: null, by: "shell" });
  requireExecutable(SHELL, "/", `Cannot run "${path}"`);
  return arrive({ ...execution, path: SHELL, argv: [SHELL, path, ...argv.slice(1)] }, chain, host);
}

/** What a static wrapper executes next, which is noted in the chain; `null` when it is none. */
function afterWrapper(
  { execution, argv, program }: Arrival,
  chain: LaunchStep[],
): Execution | null {
  const [command, ...args] = wrappedCommand(program, argv);
  if (command === undefined) return null;
  const { environment, cwd } = execution;
  chain[chain.length - 1] = { kind: "wrapper", path: program.path, program };
  const path = resolveCommand(command, environment.PATH, cwd);
  return { path, argv: [command, ...args], environment, cwd };
}

/** Whether the chain stands at an `env` that a script's `#!` line named. */
function runsEnv(chain: readonly LaunchStep[]): boolean {
  const last = chain.at(-1);
  const before = chain.at(-2);
  return last?.kind === "program" && basename(last.path) === "env" &&
    before?.kind === "script" && before.by === "shebang";
}

/** What `env` executes next; `null` when it executes nothing. */
function afterEnv(command: string, arrival: Arrival, preload: string): Execution | null {
  const { environment, cwd } = arrival.execution;
  const env = parseEnvCommand(arrival.argv.slice(1), environment);
  if (env.command === null) return null;
  if (env.dropped === "all" || env.dropped.includes(preload)) {
    throw new LaunchError(
      `Cannot run "${command}" under an allocator: its #! line makes "env" drop ` +
        `${preload}. Take ${env.dropped === "all" ? "-i" : "-u"} out of that line.`,
    );
  }
  const directory = env.directory === null ? cwd : resolve(cwd, env.directory);
  return {
    path: resolveEnvCommand(command, env.command, env.environment.PATH, directory),
    argv: [env.command, ...env.args],
    environment: env.environment,
    cwd: directory,
  };
}

function resolveEnvCommand(
  script: string,
  name: string,
  path: string | undefined,
  cwd: string,
): string {
  try {
    return resolveCommand(name, path, cwd);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    const hint = name.includes(" ") ? ' "env" takes several words only with -S.' : "";
    throw new LaunchError(
      `Cannot run "${script}", whose #! line names "env": ${error.message}${hint}`,
      error.status,
      { cause: error },
    );
  }
}

function readHead(path: string, file: string): Uint8Array {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    if (isPermissionRefusal(error)) {
      throw permissionError(`read "${file}"`, "--allow-read", error);
    }
    throw new LaunchError(
      `Cannot check "${path}" before it is run: this user may not read it. ` +
        "Give this user the right to read it.",
      125,
      { cause: error },
    );
  }
  try {
    const head = new Uint8Array(SHEBANG_BYTES);
    return head.subarray(0, readSync(descriptor, head, 0, head.length, 0));
  } finally {
    closeSync(descriptor);
  }
}
