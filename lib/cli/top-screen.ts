/**
 * What `offheap top` shows, and what its keys do to it. Nothing is read or written here.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import { arrangeTree, type TreeRow } from "../watch/processes/tree.ts";
import type { ProcessList } from "../watch/processes/types.ts";
import { layOut } from "./columns.ts";
import { PROCESS_COLUMNS } from "./report-processes.ts";

/** What is shown. */
export interface TopState {
  /** The processes. */
  readonly list: ProcessList;
  /** The process that keys are about; `null` before there is one. */
  readonly selected: number | null;
  /** Whether processes are below the ones that started them. */
  readonly tree: boolean;
  /** Lines about the selected process, in place of the list; `null` for the list. */
  readonly details: readonly string[] | null;
  /** What came of the last key. */
  readonly message: string;
}

/** A terminal's size in characters. */
export interface ScreenSize {
  /** Its width. */
  readonly columns: number;
  /** Its height. */
  readonly rows: number;
}

/** What a key asks for that takes time. */
export type TopAction = "quit" | "purge" | "details" | null;

/** A key as `node:readline` names it. */
export interface Key {
  /** Its name, such as `up`. */
  readonly name?: string | undefined;
  /** Whether Ctrl was held. */
  readonly ctrl?: boolean | undefined;
}

/** By how many rows a key moves the selection. */
const MOVES: Readonly<Record<string, number>> = {
  up: -1,
  k: -1,
  down: 1,
  j: 1,
  pageup: -10,
  pagedown: 10,
  home: -Infinity,
  end: Infinity,
};

const ACTIONS: Readonly<Record<string, TopAction>> = {
  q: "quit",
  p: "purge",
  d: "details",
  return: "details",
  enter: "details",
};

const HELP = "↑↓ select  p purge  d details  t tree  q quit";

/** Rows that are not the list's: the keys, the message and the heading. */
const OTHER_ROWS = 3;

/** The rows in their order. */
export function rowsOf({ list, tree }: TopState): TreeRow[] {
  return tree
    ? arrangeTree(list.processes)
    : list.processes.map((entry) => ({ entry, branch: "" }));
}

/** The row of the selected process; the first where it has ended. */
function selectedRow(state: TopState, rows: readonly TreeRow[]): number {
  return Math.max(0, rows.findIndex(({ entry }) => entry.pid === state.selected));
}

/** What a key changes, and what it asks for. */
export function pressKey(state: TopState, { name = "", ctrl = false }: Key): {
  readonly state: TopState;
  readonly action: TopAction;
} {
  if (ctrl) return { state, action: name === "c" ? "quit" : null };
  if (state.details !== null && name !== "q") {
    return { state: { ...state, details: null, message: "" }, action: null };
  }
  const move = MOVES[name];
  if (move !== undefined) {
    const rows = rowsOf(state);
    const row = Math.min(rows.length - 1, Math.max(0, selectedRow(state, rows) + move));
    const selected = rows[row]?.entry.pid ?? null;
    return { state: { ...state, selected, message: "" }, action: null };
  }
  if (name === "t") return { state: { ...state, tree: !state.tree }, action: null };
  return { state, action: ACTIONS[name] ?? null };
}

/** The lines of the screen; the one that is selected is marked by its index. */
export function drawTop(
  state: TopState,
  { columns, rows: height }: ScreenSize,
): { readonly lines: readonly string[]; readonly marked: number | null } {
  const { list, details, message } = state;
  if (details !== null) {
    const lines = [...details.slice(0, Math.max(0, height - 1)), "any key: back  q quit"];
    return { lines: lines.map((line) => cut(line, columns)), marked: null };
  }
  const rows = rowsOf(state);
  const row = selectedRow(state, rows);
  const room = Math.max(1, height - OTHER_ROWS);
  const first = Math.max(0, Math.min(row - (room >> 1), rows.length - room));
  const [head = "", ...body] = layOut(PROCESS_COLUMNS, rows.slice(first, first + room), columns);
  const hidden = list.hidden > 0 ? `, ${list.hidden} not shown` : "";
  const count = list.processes.length;
  const status = message === "" ? `${count} process${count === 1 ? "" : "es"}${hidden}` : message;
  const lines = [HELP, status, head, ...body].map((line) => cut(line, columns));
  return { lines, marked: rows.length === 0 ? null : OTHER_ROWS + row - first };
}

/** Colours take no room; a line that is too long loses them. */
function cut(line: string, columns: number): string {
  const text = stripVTControlCharacters(line);
  return text.length <= columns ? line : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
