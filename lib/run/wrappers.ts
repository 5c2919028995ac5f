/**
 * Programs that change something of a process and then become, or start, the command after them.
 *
 * @module
 */
import { basename } from "node:path";
import { LaunchError } from "../errors.ts";
import type { ProgramFile } from "./types.ts";

/** How many words there are between the program's name and the command's. */
const WORDS_BEFORE: ReadonlyMap<string, number> = new Map([["gosu", 1], ["su-exec", 1]]);

/** Programs whose command would run without the allocator, where children do not inherit it. */
const WRAPPERS: ReadonlySet<string> = new Set([
  ...["nice", "ionice", "nohup", "setsid", "chrt", "taskset", "numactl", "prlimit", "stdbuf"],
  ...["setarch", "timeout", "time", "flock", "setpriv", "runuser", "chroot", "unshare", "capsh"],
  ...["nsenter", "bwrap", "su", "sudo", "choom", "faketime", "tini", "dumb-init", "catatonit"],
  // runit's and daemontools'; s6 has its own of the same names.
  ...["chpst", "setuidgid", "envuidgid", "envdir", "softlimit", "setlock", "pgrphack", "fghack"],
]);

/**
 * Refuses a program whose only purpose is the command after it: without inheritance, that one would
 * run without the allocator.
 *
 * @throws {LaunchError} status 125.
 */
export function refuseWrapper({ path }: ProgramFile): void {
  const name = basename(path);
  if (!WRAPPERS.has(name.replace(/^s6-/, ""))) return;
  throw new LaunchError(
    `Cannot run "${name}" with --no-inherit: the command after it would run without the ` +
      `allocator. Put offheap between the two: ${name} … offheap run --no-inherit -- COMMAND`,
  );
}

/**
 * The command that a static program of them, which only changes who runs it, becomes. Nothing can be
 * preloaded into the static one, but it hands the environment on, and the command keeps the process
 * that the check in it is for.
 *
 * @returns Its name and its arguments; nothing when the program is not one of them, or is given no command.
 */
export function wrappedCommand(program: ProgramFile, argv: readonly string[]): readonly string[] {
  const words = WORDS_BEFORE.get(basename(program.path));
  const isStatic = program.format === "elf" && program.interpreter === null;
  return words === undefined || !isStatic ? [] : argv.slice(1 + words);
}
