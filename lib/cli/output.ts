/**
 * What reports look like: tables and colours for people, plain lines for everything else.
 *
 * @module
 */
import { closeSync, existsSync, openSync, realpathSync, rmSync } from "node:fs";
import process from "node:process";
import { styleText } from "node:util";
import Table from "cli-table3";
import type { Evidence } from "../verify/types.ts";

/**
 * Refuses a file that cannot be written before what is to be in it is measured.
 *
 * @throws What the system says of it.
 */
export function requireWritable(...files: readonly (string | undefined)[]): void {
  for (const file of files) {
    if (file === undefined) continue;
    const isNew = !existsSync(file);
    closeSync(openSync(file, "a"));
    if (isNew) rmSync(realpathSync(file));
  }
}

/** How something came out, for its colour. */
export type Tone = "good" | "bad" | "doubtful" | "quiet";

const COLOURS = { good: "green", bad: "red", doubtful: "yellow", quiet: "dim" } as const;

const OUTCOME_TONES: Readonly<Record<Evidence["outcome"], Tone>> = {
  pass: "good",
  fail: "bad",
  unavailable: "doubtful",
};

/** A terminal's width when it does not report its own. */
const DEFAULT_COLUMNS = 100;
const MIN_DETAIL = 30;
/** The frame of a table and the blanks in it, for each column and in all. */
const FRAME = { column: 3, end: 1 } as const;

/** Whether people look at it. What reads a pipe or a file wants whole lines, without a frame. */
export function isTerminal(): boolean {
  return process.stdout.isTTY === true;
}

/** Whether stdout shows colours: a terminal, and NO_COLOR is not set (no-color.org). */
function coloured(): boolean {
  return isTerminal() && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

/** Text in a colour, where stdout shows colours. */
export function paint(tone: Tone, text: string): string {
  return coloured() ? styleText(COLOURS[tone], text, { validateStream: false }) : text;
}

/** The terminal's width in columns. */
export function terminalWidth(): number {
  return process.stdout.columns || DEFAULT_COLUMNS;
}

/**
 * Text of another program's as it can be printed: what would move the cursor, change colours or turn
 * the direction of writing is escaped.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/** Without lines between the rows: long tables stay readable. */
const PLAIN_ROWS = { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" };

function style(): { chars: typeof PLAIN_ROWS; style: { head: string[]; border: string[] } } {
  const colours = coloured() ? { head: ["bold"], border: ["dim"] } : { head: [], border: [] };
  return { chars: PLAIN_ROWS, style: colours };
}

/**
 * A row for each name and its value: a table in a terminal, no wider than that is, else a line
 * `name: value`.
 */
export function formatFields(rows: readonly (readonly [string, string])[]): string {
  if (!isTerminal()) return rows.map(([name, value]) => `${name}: ${value}`).join("\n");
  const inside = terminalWidth() - 2 * FRAME.column - FRAME.end;
  const names = rows.map(([name]) => wrapWords(name, Math.max(inside >> 1, MIN_DETAIL)));
  const longest = Math.max(
    ...names.flatMap((name) => name.split("\n")).map(({ length }) => length),
  );
  const table = new Table(style());
  for (const [row, [, value]] of rows.entries()) {
    table.push([names[row], wrapWords(value, Math.max(inside - longest, MIN_DETAIL))]);
  }
  return table.toString();
}

/** Text without line breaks: what reads a pipe takes a line for a fact. */
export function oneLine(text: string): string {
  return isTerminal() ? text : text.replace(/:\s*\n\s*/g, ": ").replace(/\s*\n\s*/g, "; ");
}

/** Columns that are as wide as what is in them; the last one is not filled up. */
function formatLines(lines: readonly (readonly string[])[]): string {
  const rows = lines.map((row) => row.map(oneLine));
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => cell.padEnd(widths?.[column] ?? 0)).join("  ").trimEnd();
  return rows.map(line).join("\n");
}

/** A table with a heading: in a terminal with a frame, else a line each, of any length. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  if (!isTerminal()) return formatLines([head, ...rows]);
  const table = new Table({ head: [...head], ...style() });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** An item of any report's evidence. */
export interface EvidenceRow {
  /** What it is about; `process` where the report knows nothing else. */
  readonly scope?: string;
  /** What was looked at. */
  readonly check: string;
  /** How it came out. */
  readonly outcome: Evidence["outcome"];
  /** What was seen. */
  readonly detail: string;
}

const EVIDENCE_HEAD = ["scope", "check", "outcome", "detail"];

/** Breaks lines between words; a word that is longer than a line, such as a path, within. */
export function wrapWords(text: string, width: number): string {
  const wrapLine = (line: string): string[] => {
    const lines = [""];
    for (const word of line.split(" ")) {
      const joined = [...lines.splice(-1), word].join(" ").trimStart();
      if (joined.length <= width) lines.push(joined);
      else {
        const before = joined.slice(0, -word.length).trimEnd();
        if (before !== "") lines.push(before);
        lines.push(...word.match(new RegExp(`.{1,${width}}`, "g")) ?? []);
      }
    }
    return lines;
  };
  return text.split("\n").flatMap(wrapLine).join("\n");
}

/** A table of evidence; in a terminal long details are wrapped. */
export function formatEvidence(evidence: readonly EvidenceRow[]): string {
  const short = evidence.map(({ scope, check, outcome }) => [scope ?? "process", check, outcome]);
  const used = EVIDENCE_HEAD.slice(0, -1).map((head, column) =>
    Math.max(head.length, ...short.map((row) => row[column]?.length ?? 0)) + FRAME.column
  );
  const taken = used.reduce((sum, columns) => sum + columns, FRAME.column + FRAME.end);
  const width = Math.max(terminalWidth() - taken, MIN_DETAIL);
  const rows = evidence.map(({ scope, check, outcome, detail }) => [
    scope ?? "process",
    check,
    paint(OUTCOME_TONES[outcome], outcome),
    isTerminal() ? wrapWords(detail, width) : detail,
  ]);
  return formatTable(EVIDENCE_HEAD, rows);
}

/** `verified` or `NOT VERIFIED`, in its colour. */
export function formatVerdict(verified: boolean): string {
  return verified ? paint("good", "verified") : paint("bad", "NOT VERIFIED");
}
