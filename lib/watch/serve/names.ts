/**
 * How a process is called in metrics: short, of few different values, and without what its arguments may
 * hold, as metrics are kept for long and read by many.
 *
 * @module
 */
import { basename } from "node:path";
import type { ListedProcess } from "../processes/types.ts";

const LONGEST = 64;

/** A script's file, by its name. */
const SCRIPT = /^[\w@%+,./-]+\.[cm]?[jt]sx?$/;

/** Node's and Bun's options that a file follows which is not the script. */
const TAKES_FILE: readonly string[] = ["-r", "--require", "--import", "--loader", "--preload"];

/** The program's name, and in a JavaScript runtime its script's: `node server.js`. */
export function programName({ command, executable, runtime }: ListedProcess): string {
  const name = basename(executable);
  const script = runtime === null
    ? undefined
    : command.find((word, index) =>
      index > 0 && SCRIPT.test(word) && !TAKES_FILE.includes(command[index - 1] ?? "")
    );
  return clean(script === undefined ? name : `${name} ${basename(script)}`);
}

/** What a process says of itself, as a label's value. */
export function clean(text: string): string {
  return text.replace(/[\p{C}\u2028\u2029]/gu, "?").slice(0, LONGEST);
}
