/**
 * The report as a table, and what it comes to.
 *
 * @module
 */
import Table from "cli-table3";
import { COLUMNS, type Outcome, type PlatformReport, type RowReport, type Way } from "./types.ts";

/** A runtime's name in tables. */
export const RUNTIME_TITLES: Readonly<Record<string, string>> = {
  deno: "Deno",
  bun: "Bun",
  node26: "Node 26",
  node24: "Node 24",
  node22: "Node 22",
};

/** A way in words. */
export const WAY_TITLES: Readonly<Record<Way, string>> = {
  native: "on the machine itself",
  qemu: "qemu-user",
  musl: "Debian's musl",
  "qemu-musl": "qemu-user, Debian's musl",
  wine: "wine",
  static: "static check only",
};

/** An outcome in a table. */
export const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  pass: "yes",
  fail: "FAILED",
  skipped: "-",
  absent: "not on this system",
  static: "files only",
};

/** The shared tests of a row in a cell. */
export function testsCell({ tests }: RowReport): string {
  if (tests === null) return "-";
  const { files, passed, failed, skipped } = tests;
  const rest = skipped > 0 ? `, ${skipped} skipped` : "";
  const failures = failed > 0 ? `, ${failed} FAILED` : "";
  return `${passed} passed${failures}${rest} (${files.length} files)`;
}

/** The whole report as a table for a terminal. */
export function tableOf(report: PlatformReport): string {
  const table = new Table({
    head: ["target", "runtime", "how", ...COLUMNS, "shared tests", "time"],
    style: { head: [], border: [] },
  });
  for (const row of report.rows) {
    const title = row.runtime === null ? "-" : RUNTIME_TITLES[row.runtime] ?? row.runtime;
    table.push([
      row.target,
      row.version === null ? title : `${title.replace(/ \d+$/, "")} ${row.version}`,
      WAY_TITLES[row.way],
      ...COLUMNS.map((column) => OUTCOME_WORDS[row.columns[column].outcome]),
      testsCell(row),
      `${(row.milliseconds / 1000).toFixed(0)} s`,
    ]);
  }
  return table.toString();
}

/** What a report comes to. */
export interface Summary {
  /** A line for each thing that failed. */
  readonly failures: readonly string[];
  /** A line for each row that could not be tried, with the reason. */
  readonly skipped: readonly string[];
}

/** The lines below the table. */
export function summarise(report: PlatformReport): Summary {
  const failures: string[] = [];
  const skipped: string[] = [];
  for (const row of report.rows) {
    const name = row.runtime === null ? row.target : `${row.target} ${row.runtime}`;
    for (const [outcome, lines] of [["fail", failures], ["skipped", skipped]] as const) {
      const reasons = new Map<string, string[]>();
      for (const column of COLUMNS) {
        const result = row.columns[column];
        if (result.outcome !== outcome) continue;
        reasons.set(result.detail, [...(reasons.get(result.detail) ?? []), column]);
      }
      for (const [detail, columns] of reasons) {
        lines.push(`${name}: ${columns.join(", ")}: ${detail}`);
      }
    }
    for (const problem of row.tests?.problems ?? []) failures.push(`${name}: ${problem}`);
  }
  return { failures, skipped };
}
