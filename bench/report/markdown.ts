/**
 * The report as Markdown, and single tables of it for documents.
 *
 * @module
 */
import type { Results } from "../suite/results.ts";
import { headline, sentences } from "./sentences.ts";
import type { Table } from "./table.ts";
import { allTables } from "./tables.ts";

/** Text that stays text in a cell: nothing in it is markup, and no bar ends the cell. */
export function escapeCell(text: string): string {
  return text.replace(/[\\|`*_<>[\]&~]/g, "\\$&").replace(/\s*\n\s*/g, " ");
}

/** A table, its columns padded as `deno fmt` does. */
export function markdownTable({ head, rows, words }: Table): string {
  const lines = [head, ...rows].map((row) => row.map(escapeCell));
  const widths = head.map((_, i) => Math.max(3, ...lines.map((line) => line[i]?.length ?? 0)));
  const pad = (text: string, i: number): string => {
    const width = widths[i] ?? 0;
    return i < words ? text.padEnd(width) : text.padStart(width);
  };
  const [first = [], ...rest] = lines.map((line) => `| ${line.map(pad).join(" | ")} |`);
  const rule = widths.map((width, i) =>
    i < words ? "-".repeat(width) : `${"-".repeat(width - 1)}:`
  );
  return [first, `| ${rule.join(" | ")} |`, ...rest].join("\n");
}

/** Every table of some results as Markdown, by its name, for a document's generator. */
export function markdownTables(results: Results): Map<string, string> {
  return new Map(allTables(results).map((table) => [table.name, markdownTable(table)]));
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
