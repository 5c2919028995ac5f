/**
 * The shape of `build/platforms/report.json`, and of the committed `docs/development/platforms.json`.
 *
 * @module
 */

/** The runtimes of the matrix. */
export type PlatformRuntime = "deno" | "bun" | "node26" | "node24" | "node22";

/**
 * How a row is tried: on this machine itself; by the emulator qemu; with another C library; under
 * wine; or its files alone.
 */
export type Way = "native" | "qemu" | "musl" | "qemu-musl" | "wine" | "static";

/** What is asked of every row, in the order of the table. */
export const COLUMNS = ["load", "version", "allocate", "preload", "verify"] as const;

/** One of {@linkcode COLUMNS}. */
export type Column = typeof COLUMNS[number];

/**
 * How a column came out. `absent`: the system has no such thing. `static`: read from the file's
 * bytes, without running it. `skipped`: it could not be tried here, and the detail says why.
 */
export type Outcome = "pass" | "fail" | "skipped" | "absent" | "static";

/** A column's result. */
export interface ColumnResult {
  /** How it came out. */
  readonly outcome: Outcome;
  /** What was seen, or why it was not tried. */
  readonly detail: string;
}

/** A test file that a row leaves out. */
export interface LeftOut {
  /** The file's name in `tests/`. */
  readonly file: string;
  /** Why. */
  readonly reason: string;
}

/** What the shared tests came to in a row. */
export interface SharedTests {
  /** The files that ran. */
  readonly files: readonly string[];
  /** Tests that passed. */
  readonly passed: number;
  /** Tests that failed, and files that crashed or took too long. */
  readonly failed: number;
  /** Tests that skipped themselves. */
  readonly skipped: number;
  /** What went wrong, a line each. */
  readonly problems: readonly string[];
  /** Files that do not run here. */
  readonly leftOut: readonly LeftOut[];
}

/** A row of the matrix. */
export interface RowReport {
  /** The target, as `linux-arm64-gnu`. */
  readonly target: string;
  /** The runtime; `null` when nothing is run. */
  readonly runtime: PlatformRuntime | null;
  /** The runtime's version; `null` when nothing was run. */
  readonly version: string | null;
  /** How it is tried. */
  readonly way: Way;
  /** Each column's result. */
  readonly columns: Readonly<Record<Column, ColumnResult>>;
  /** The shared tests; `null` when they were not to run. */
  readonly tests: SharedTests | null;
  /** Remarks on how it was done. */
  readonly notes: readonly string[];
  /** How long the row took, in milliseconds. */
  readonly milliseconds: number;
}

/** The whole report. */
export interface PlatformReport {
  /** The layout of this file; this version is 1. */
  readonly reportVersion: 1;
  /** offheap's version. */
  readonly offheap: string;
  /** When it was made, in ISO 8601, to the day in the committed file. */
  readonly date: string;
  /** The machine's own target. */
  readonly host: string;
  /** Whether the shared tests were asked for. */
  readonly sharedTests: boolean;
  /** The rows. */
  readonly rows: readonly RowReport[];
}
