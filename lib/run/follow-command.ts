/**
 * Following a command to the program that runs in the end.
 *
 * @module
 */
import { resolve } from "node:path";
import process from "node:process";
import { inspect } from "node:util";
import { LaunchError } from "../errors.ts";
import { type CheckedFile, type OpenedFile, readHead, withOpened } from "./checked-file.ts";
import { afterEnv, runsEnv } from "./env-step.ts";
import { FORMATS } from "./formats.ts";
import { type LaunchPlatform, launchPlatform } from "./platforms.ts";
import { findCommand, fromDirectory, requireExecutable } from "./command-path.ts";
import { parseShebang, SHEBANG_BYTES } from "./shebang.ts";
import type {
  Arrival,
  Execution,
  Launch,
  LaunchHost,
  LaunchRequest,
  LaunchStep,
  ProgramFile,
} from "./types.ts";
import { wrappedCommand } from "./wrappers.ts";

/** How many scripts after one another the kernel follows. */
const KERNEL_DEPTH = 5;
/** A bound for scripts whose `env` starts another script, which the kernel does not count. */
const LONGEST_CHAIN = 32;
const SHELL = "/bin/sh";

/** What a host preloads by, when it does not say. */
function platformOf(host: LaunchHost): LaunchPlatform {
  return host.platform ?? launchPlatform(undefined, "linux");
}

/** What was met on the way so far. */
interface Way {
  readonly host: LaunchHost;
  readonly chain: LaunchStep[];
  readonly files: CheckedFile[];
}

/**
 * Looks up a command as `execvp` does, and follows scripts, `env` as the command and in `#!` lines, and
 * static wrappers such as `gosu` to the program that runs in the end.
 *
 * @throws {LaunchError} status 127 when something on the way is not found, 126 when it cannot be
 * executed, 125 when the way cannot be followed or drops the preload.
 * @throws {TypeError} when the command or an argument is no string, or holds a NUL character.
 */
export function followCommand(request: LaunchRequest, host: LaunchHost): Launch {
  const { command, args = [], environment, sets = [] } = request;
  for (const [index, word] of [command, ...args].entries()) {
    if (typeof word === "string" && !word.includes("\0")) continue;
    const what = index === 0 ? "the command" : `argument ${index}`;
    throw new TypeError(
      `Cannot run a command: ${what} must be a string without NUL; got ${inspect(word)}`,
    );
  }
  const cwd = resolve(request.cwd ?? workingDirectory());
  const path = findCommand(command, environment.PATH, cwd);
  const way: Way = { host, chain: [], files: [] };
  const { chain, files } = way;
  const fixed = new Set([platformOf(host).preloadVariable, ...sets]);
  const { envKeepsPreload } = platformOf(host);
  let start = arrive({ path, argv: [command, ...args], environment, cwd }, way);
  let last = start;
  for (;;) {
    const wrapped = afterWrapper(last, chain);
    const byEnv = wrapped === null && runsEnv(chain, last.execution.cwd);
    const next = byEnv ? afterEnv(command, last, fixed) : wrapped;
    if (next === null) break;
    // Then this process does what `env` would, and no such program runs.
    const instead = byEnv && !envKeepsPreload;
    if (instead) chain.pop();
    last = arrive(next, way);
    if (instead) start = last;
  }
  const { execution, executed } = start;
  return {
    command,
    path: execution.path,
    argv: execution.argv,
    environment: execution.environment,
    directory: execution.cwd === cwd ? null : execution.cwd,
    executed,
    files,
    chain,
    program: last.program,
    libc: last.program.libc,
  };
}

/** A way to look at files in the working directory, also when its name cannot be written as text. */
function workingDirectory(): string {
  if (process.platform !== "linux") return process.cwd();
  let name;
  try {
    name = process.cwd();
  } catch (error) {
    // A runtime may refuse to decode it; the system's own refusals have a code.
    if (error instanceof Error && !("code" in error && "syscall" in error)) name = "\uFFFD";
    else throw error;
  }
  return name.includes("\uFFFD") ? "/proc/self/cwd" : name;
}

/** A file on the way: its first bytes, and what it is when it is a program of the system's format. */
interface Found {
  readonly head: Uint8Array;
  readonly program: ProgramFile | null;
  readonly checked: CheckedFile;
}

function look(path: string, file: string, host: LaunchHost): Found {
  return withOpened(path, file, (opened) => {
    const head = readHead(opened, SHEBANG_BYTES);
    const format = FORMATS[platformOf(host).format];
    const program = format.recognises(head) ? format.readProgram(path, opened, host) : null;
    return { head, program, checked: checkedFile(opened, program, host) };
  });
}

function checkedFile(
  { file, stats }: OpenedFile,
  program: ProgramFile | null,
  host: LaunchHost,
): CheckedFile {
  const { dev: device, ino: inode, size, mode } = stats;
  const capabilities = program?.fileCapabilities ?? host.fileCapabilities(file);
  return { path: file, device, inode, size, mode, capabilities, program: program !== null };
}

/** Follows one `execve` through scripts to a program, and notes each file on the way. */
function arrive(execution: Execution, way: Way): Arrival {
  const { host, chain, files } = way;
  const { cwd } = execution;
  let executed: CheckedFile | null = null;
  let { path, argv } = execution;
  for (let depth = 0;; depth++) {
    const { head, program, checked } = look(path, fromDirectory(cwd, path), host);
    files.push(checked);
    executed ??= checked;
    if (program !== null) {
      chain.push({ kind: "program", path, program });
      return { execution, argv, program, executed };
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
      return arriveAtShell(execution, path, way);
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
  way: Way,
): Arrival {
  const { path, argv } = execution;
  if (path === SHELL) {
    throw new LaunchError(`Cannot run "${refused}": "${SHELL}" is not a program.`, 126);
  }
  way.chain.push({ kind: "script", path, interpreter: SHELL, argument: null, by: "shell" });
  requireExecutable(SHELL, "/", `Cannot run "${path}"`);
  return arrive({ ...execution, path: SHELL, argv: [SHELL, path, ...argv.slice(1)] }, way);
}

/** What a static wrapper executes next, which is noted in the chain; `null` for another program. */
function afterWrapper(
  { execution, argv, program }: Arrival,
  chain: LaunchStep[],
): Execution | null {
  const [command, ...args] = wrappedCommand(program, argv);
  if (command === undefined) return null;
  const { environment, cwd } = execution;
  chain[chain.length - 1] = { kind: "wrapper", path: program.path, program };
  const path = findCommand(command, environment.PATH, cwd);
  return { path, argv: [command, ...args], environment, cwd };
}
