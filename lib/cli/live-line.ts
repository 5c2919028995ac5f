/**
 * A line on standard error that shows how far a long command is.
 *
 * @module
 */
import process from "node:process";
import { printError } from "./print.ts";

/** The line. */
export interface LiveLine {
  /** Writes over the line in a terminal; elsewhere writes another one, unless it is no news. */
  show(text: string, isNews: boolean): void;
  /** Takes the line away in a terminal. */
  end(): void;
}

/** A new line, with nothing in it. */
export function liveLine(): LiveLine {
  const isLive = process.stderr.isTTY === true;
  return {
    show(text, isNews) {
      if (isLive) printError(`\r\x1b[K${text}`);
      else if (isNews) printError(`${text}\n`);
    },
    end() {
      if (isLive) printError("\r\x1b[K");
    },
  };
}
