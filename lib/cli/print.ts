/**
 * Printing on stdout and stderr. Apart from the tables, whose package `run` need not wait for.
 *
 * @module
 */
import process from "node:process";
import { encodeExact } from "../exact-text.ts";

let seenEnough = false;

/**
 * Whoever reads may have seen enough, as `head` has: that is no error of the report's, and does not
 * change the status with which the command ends.
 */
function endUnwritten(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") {
    seenEnough = true;
    return;
  }
  printError(`offheap: Cannot write the report: ${error.message}.\n`);
  process.exit(1);
}

/** Prints a line on stdout. */
export function print(text: string): void {
  printText(`${text}\n`);
}

/** Prints a text that has its line ends, such as commander's. */
export function printText(text: string): void {
  if (seenEnough) return;
  if (!process.stdout.listeners("error").includes(endUnwritten)) {
    process.stdout.on("error", endUnwritten);
  }
  try {
    process.stdout.write(encodeExact(text));
  } catch (error) {
    // Deno throws where Node and Bun emit.
    endUnwritten(error as NodeJS.ErrnoException);
  }
}

/** The reader of standard error has gone: nobody is left to tell, and the status stays. */
function endUntold(): void {}

/**
 * Prints a text on stderr. Not before there is something to say: Node makes a pipe non-blocking when
 * it opens the stream, also for the program that `run` becomes.
 */
export function printError(text: string): void {
  if (!process.stderr.listeners("error").includes(endUntold)) process.stderr.on("error", endUntold);
  try {
    process.stderr.write(text);
  } catch {
    endUntold();
  }
}

/** Prints a value as JSON on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
