/**
 * What reports look like: tables, colours, units.
 *
 * @module
 */
import process from "node:process";
import { styleText } from "node:util";
import Table from "cli-table3";
import type { Evidence } from "../verify/types.ts";

/** How something came out, for its colour. */
export type Tone = "good" | "bad" | "doubtful" | "quiet";

const COLOURS = { good: "green", bad: "red", doubtful: "yellow", quiet: "dim" } as const;

const OUTCOME_TONES: Readonly<Record<Evidence["outcome"], Tone>> = {
  pass: "good",
  fail: "bad",
  unavailable: "doubtful",
};

/** A table's width when the terminal does not tell its own. */
const DEFAULT_COLUMNS = 100;
const DETAIL_MARGIN = 40;
const LEAST_DETAIL = 30;

/** Whether stdout shows colours: a terminal, and NO_COLOR is not set (no-color.org). */
function coloured(): boolean {
  return process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

/** Text in a colour, where stdout shows colours. */
export function paint(tone: Tone, text: string): string {
  return coloured() ? styleText(COLOURS[tone], text, { validateStream: false }) : text;
}

/** Without lines between the rows: long tables stay readable. */
const PLAIN_ROWS = { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" };

function style(): { chars: typeof PLAIN_ROWS; style: { head: string[]; border: string[] } } {
  const colours = coloured() ? { head: ["bold"], border: ["dim"] } : { head: [], border: [] };
  return { chars: PLAIN_ROWS, style: colours };
}

/** A table with a row for each name and its value. */
export function formatFields(rows: readonly (readonly [string, string])[]): string {
  const table = new Table(style());
  for (const [name, value] of rows) table.push([name, value]);
  return table.toString();
}

/** A table with a heading. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
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

/** A table of evidence. */
export function formatEvidence(evidence: readonly EvidenceRow[]): string {
  const width = Math.max(
    (process.stdout.columns || DEFAULT_COLUMNS) - DETAIL_MARGIN,
    LEAST_DETAIL,
  );
  const table = new Table({
    head: ["scope", "check", "outcome", "detail"],
    colWidths: [null, null, null, width],
    wordWrap: true,
    wrapOnWordBoundary: false,
    ...style(),
  });
  for (const { scope, check, outcome, detail } of evidence) {
    table.push([scope ?? "process", check, paint(OUTCOME_TONES[outcome], outcome), detail]);
  }
  return table.toString();
}

/** Bytes with a unit that people read. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** `verified` or `NOT VERIFIED`, in its colour. */
export function formatVerdict(verified: boolean): string {
  return verified ? paint("good", "verified") : paint("bad", "NOT VERIFIED");
}
