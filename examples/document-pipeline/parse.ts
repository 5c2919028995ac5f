/**
 * Small parsers for the pipeline: each turns a document's text into titled sections.
 *
 * @module
 */

/** A titled piece of a document. */
export interface Section {
  /** A heading, a record's key, or the like. */
  readonly title: string;
  /** Its text. */
  readonly text: string;
}

/** Parses one format. */
export type Parser = (text: string) => Section[];

/** The parsers by file extension. */
export const PARSERS: Readonly<Record<string, Parser>> = {
  ".md": parseMarkdown,
  ".csv": parseCsv,
  ".json": parseJson,
  ".xml": parseXml,
  ".html": parseHtml,
  ".txt": parseText,
};

/** A section for each heading; a `#` inside a fenced block is not a heading. */
export function parseMarkdown(text: string): Section[] {
  const sections: Section[] = [];
  let title = "";
  let lines: string[] = [];
  let fenced = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) fenced = !fenced;
    const heading = fenced ? null : /^#{1,6} +(.+)$/.exec(line);
    if (heading === null) {
      lines.push(line);
      continue;
    }
    push(sections, title, lines.join("\n"));
    title = heading[1] ?? "";
    lines = [];
  }
  push(sections, title, lines.join("\n"));
  return sections;
}

/** A section for each record, with the header's names in front of the values. */
export function parseCsv(text: string): Section[] {
  const [header = [], ...rows] = readCsv(text);
  return rows.map((row) => ({
    title: `${row[0] ?? ""} ${row[1] ?? ""}`,
    text: header.map((name, index) => `${name}: ${row[index] ?? ""}`).join("\n"),
  }));
}

/** The rows of a CSV text; a quoted field may hold commas, line breaks and doubled quotes. */
export function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /("(?:[^"]|"")*"|(?!")[^,\n]*)(,|\n|$)/y;
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    if (match === null) throw new SyntaxError(`Cannot read CSV: a quote in row ${rows.length + 1}`);
    const value = match[1] ?? "";
    row.push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value);
    if (match[2] === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

/** A section for each member of the top-level arrays; nested values become `path: value` lines. */
export function parseJson(text: string): Section[] {
  const sections: Section[] = [];
  const document: unknown = JSON.parse(text);
  for (const [key, value] of entries(document)) {
    const items = Array.isArray(value) ? entries(value) : [["", value] as const];
    for (const [index, item] of items) push(sections, `${key} ${index}`.trim(), flatten(item, ""));
  }
  return sections;
}

/** A section for each child of the root element: its attributes, then its text. */
export function parseXml(text: string): Section[] {
  const sections: Section[] = [];
  const body = text.replace(/<!--[\s\S]*?-->|<\?[\s\S]*?\?>/g, "");
  for (const match of body.matchAll(/<incident\b([^>]*)>([\s\S]*?)<\/incident>/g)) {
    const id = /\bid="([^"]*)"/.exec(match[1] ?? "");
    push(sections, id?.[1] ?? "", `${(match[1] ?? "").trim()}\n${textOf(match[2] ?? "")}`);
  }
  return sections;
}

/** A section for each heading of the page; scripts and styles are not text. */
export function parseHtml(text: string): Section[] {
  const sections: Section[] = [];
  const body = text.replace(/<(script|style|head)\b[\s\S]*?<\/\1>/gi, "");
  const [, ...parts] = body.split(/<h[1-6][^>]*>/i);
  for (const part of parts) {
    const [title = "", rest = ""] = part.split(/<\/h[1-6]>/i);
    push(sections, textOf(title).trim(), textOf(rest));
  }
  return sections;
}

/** A section for each paragraph; its first words are the title. */
export function parseText(text: string): Section[] {
  const sections: Section[] = [];
  for (const paragraph of text.split(/\n{2,}/)) push(sections, paragraph.slice(0, 24), paragraph);
  return sections;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  mdash: "-",
};

/** What is left of markup without its tags; character data sections are kept as they are. */
function textOf(markup: string): string {
  return markup.split(/(<!\[CDATA\[[\s\S]*?\]\]>)/).map((part) =>
    part.startsWith("<![CDATA[") ? part.slice(9, -3) : decode(part.replace(/<[^>]*>/g, " "))
  ).join("").replace(/[ \t]*\n\s*/g, "\n");
}

function decode(text: string): string {
  return text.replace(
    /&(?:#(\d+)|(\w+));/g,
    (whole, code?: string, name?: string) =>
      code !== undefined ? String.fromCodePoint(Number(code)) : ENTITIES[name ?? ""] ?? whole,
  );
}

function entries(value: unknown): (readonly [string, unknown])[] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

function flatten(value: unknown, path: string): string {
  if (typeof value !== "object" || value === null) return `${path}: ${String(value)}`;
  return entries(value).map(([key, inner]) => flatten(inner, path === "" ? key : `${path}.${key}`))
    .join("\n");
}

function push(sections: Section[], title: string, text: string): void {
  if (text.trim() !== "") sections.push({ title, text });
}
