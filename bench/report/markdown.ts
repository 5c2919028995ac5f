/**
 * The report as Markdown, and single tables of it for documents.
 *
 * @module
 */
import { layoutTable } from "../../tools/markdown-table.ts";
import type { Results } from "../suite/results.ts";
import { headline, sentences } from "./sentences.ts";
import type { Table } from "./table.ts";
import { allTables } from "./tables.ts";

/** Text that stays text in a cell: nothing in it is markup, and no bar ends the cell. */
export function escapeCell(text: string): string {
  return text.replace(/[\\|`*_<>[\]&~]/g, "\\$&").replace(/\s*\n\s*/g, " ");
}

/** A table as Markdown. */
export function markdownTable({ head, rows, words }: Table): string {
  return layoutTable(head.map(escapeCell), rows.map((row) => row.map(escapeCell)), words);
}

/** The whole report. */
export function markdownReport(results: Results): string {
  const parts = [
    `# ${headline(results)}`,
    ...sentences(results).map(escapeCell),
    ...allTables(results).flatMap((
      table,
    ) => [`## ${escapeCell(table.title)}`, markdownTable(table)]),
  ];
  return `${parts.join("\n\n")}\n`;
}
