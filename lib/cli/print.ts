/**
 * Printing on stdout. Apart from the tables, whose package `run` need not wait for.
 *
 * @module
 */
import process from "node:process";

/** Whoever reads may have seen enough, as `head` has: that is no error of the report's. */
function endQuietlyWhenUnread(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit();
}

/** Prints a line on stdout. */
export function print(text: string): void {
  if (!process.stdout.listeners("error").includes(endQuietlyWhenUnread)) {
    process.stdout.on("error", endQuietlyWhenUnread);
  }
  process.stdout.write(`${text}\n`);
}

/** Prints a value as JSON on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
