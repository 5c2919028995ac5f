/**
 * Printing on stdout. Apart from the tables, whose package `run` need not wait for.
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
  process.stderr.write(`offheap: Cannot write the report: ${error.message}.\n`);
  process.exit(1);
}

/** Prints a line on stdout. */
export function print(text: string): void {
  if (seenEnough) return;
  if (!process.stdout.listeners("error").includes(endUnwritten)) {
    process.stdout.on("error", endUnwritten);
  }
  try {
    process.stdout.write(encodeExact(`${text}\n`));
  } catch (error) {
    // Deno throws where Node and Bun emit.
    endUnwritten(error as NodeJS.ErrnoException);
  }
}

/** Prints a value as JSON on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
