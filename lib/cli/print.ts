/**
 * Printing on stdout. Apart from the tables, whose package `run` need not wait for.
 *
 * @module
 */
import process from "node:process";

/** Prints a line on stdout. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints a value as JSON on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
