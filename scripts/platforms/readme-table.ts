/**
 * README's table of platforms, made from the committed results; run it by itself after editing.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layoutTable } from "../../tools/markdown-table.ts";
import { withPart } from "../../tools/marked-text.ts";
import { ROOT } from "../../tools/paths.ts";
import { OUTCOME_WORDS, RUNTIME_TITLES, testsCell, WAY_TITLES } from "./table.ts";
import {
  type Column,
  type ColumnResult,
  COLUMNS,
  type PlatformReport,
  type RowReport,
} from "./types.ts";

/** The committed results. */
const RESULTS: string = join(ROOT, "docs", "development", "platforms.json");
const README: string = join(ROOT, "README.md");

/** A report without what differs from machine to machine and run to run. */
export function trimReport(report: PlatformReport): PlatformReport {
  return { ...report, date: report.date.slice(0, 10), rows: report.rows.map(trimRow) };
}

function trimRow(row: RowReport): RowReport {
  const columns = Object.fromEntries(
    COLUMNS.map((column): [Column, ColumnResult] => {
      const { outcome, detail } = row.columns[column];
      return [column, { outcome, detail: withoutPaths(detail) }];
    }),
  ) as Record<Column, ColumnResult>;
  const tests = row.tests === null
    ? null
    : { ...row.tests, problems: row.tests.problems.map(withoutPaths) };
  return { ...row, columns, tests, milliseconds: 0 };
}

/** Absolute paths and addresses are the machine's own. */
function withoutPaths(text: string): string {
  return text.replaceAll(ROOT, "").replace(/"\/[^"]*\/([^"/]+)"/g, '"$1"')
    .replace(/0x[0-9a-f]{6,}/g, "0x…");
}

/** The table in Markdown. */
export function markdownTable(report: PlatformReport): string {
  const head = ["target", "runtime", "how", ...COLUMNS, "shared tests"];
  const rows = report.rows.map((row) => [
    row.target,
    row.runtime === null ? "" : titleOf(row),
    WAY_TITLES[row.way],
    ...COLUMNS.map((column) => OUTCOME_WORDS[row.columns[column].outcome]),
    testsCell(row),
  ]);
  return layoutTable(head, rows);
}

function titleOf({ runtime, version }: RowReport): string {
  const title = RUNTIME_TITLES[runtime ?? ""] ?? "";
  return version === null ? title : `${title.replace(/ \d+$/, "")} ${version}`;
}

/**
 * A text with the table between its marks replaced.
 *
 * @throws {RangeError} when the marks are not there.
 */
export function withTable(text: string, report: PlatformReport): string {
  const table = `${markdownTable(report)}\n\nTried on ${report.date}, on ${report.host}.`;
  return withPart(text, "platforms", table);
}

/** The committed results. */
export function readResults(): PlatformReport {
  return JSON.parse(readFileSync(RESULTS, "utf8")) as PlatformReport;
}

/** Commits a report's results to the file, trimmed. */
export function writeResults(report: PlatformReport): void {
  writeFileSync(RESULTS, `${JSON.stringify(trimReport(report), null, 2)}\n`);
}

/** Makes README's table from the committed results. */
export function updateReadme(): void {
  writeFileSync(README, withTable(readFileSync(README, "utf8"), readResults()));
}

if (import.meta.main) updateReadme();
