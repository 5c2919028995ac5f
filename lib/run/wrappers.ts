/**
 * Static programs that only change who runs a command, and then become it: nothing can be preloaded
 * into them, but they hand the environment on, and the command keeps the process that the check in it
 * is for.
 *
 * @module
 */
import { basename } from "node:path";
import type { ProgramFile } from "./types.ts";

/** How many words stand between the program's name and the command's. */
const WORDS_BEFORE: Readonly<Partial<Record<string, number>>> = {
  "gosu": 1,
  "su-exec": 1,
};

/**
 * The command that such a program becomes, with its arguments; empty when the program is none, or is
 * given no command.
 */
export function wrappedCommand(program: ProgramFile, argv: readonly string[]): readonly string[] {
  const words = WORDS_BEFORE[basename(program.path)];
  const isStatic = program.format === "elf" && program.interpreter === null;
  return words === undefined || !isStatic ? [] : argv.slice(1 + words);
}
