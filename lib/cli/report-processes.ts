/**
 * `offheap ps`.
 *
 * @module
 */
import process from "node:process";
import { formatAge, formatBytes } from "../units.ts";
import { listProcesses } from "../watch/processes/list.ts";
import { arrangeTree, type TreeRow } from "../watch/processes/tree.ts";
import type { ListedProcess } from "../watch/processes/types.ts";
import { type Column, layOut } from "./columns.ts";
import { isTerminal, printable, terminalWidth } from "./output.ts";
import { print, printError, printJson } from "./print.ts";
import type { ReportOptions } from "./report.ts";

/** The options of `offheap ps`. */
export interface ProcessesOptions extends ReportOptions {
  /** Put each process below the one that started it. */
  readonly tree?: boolean;
}

function bytes(value: number | null): string {
  return value === null ? "–" : formatBytes(value);
}

/** The columns of `ps` and `top`. */
export const PROCESS_COLUMNS: readonly Column<TreeRow>[] = [
  { head: "pid", right: true, droppable: 0, cell: ({ entry }) => String(entry.pid) },
  { head: "runtime", droppable: 4, cell: ({ entry }) => entry.runtime ?? "–" },
  { head: "allocator", droppable: 0, cell: ({ entry }) => entry.allocator },
  { head: "proven", droppable: 6, cell: ({ entry }) => entry.verified ? "yes" : "no" },
  { head: "rss", right: true, droppable: 0, cell: ({ entry }) => bytes(entry.resident) },
  { head: "allocated", right: true, droppable: 2, cell: ({ entry }) => bytes(entry.allocated) },
  { head: "held back", right: true, droppable: 1, cell: ({ entry }) => bytes(entry.heldBack) },
  { head: "swap", right: true, droppable: 7, cell: ({ entry }) => bytes(entry.swap) },
  { head: "limit", right: true, droppable: 5, cell: ({ entry }) => bytes(entry.limit) },
  { head: "age", right: true, droppable: 3, cell: ({ entry }) => formatAge(entry.ageSeconds) },
  { head: "command", droppable: 0, cell: ({ entry, branch }) => branch + commandOf(entry) },
];

/** A command as it is shown: a process may have anything for its arguments. */
function commandOf({ command, executable }: ListedProcess): string {
  return printable(command.length > 0 ? command.join(" ") : `[${executable}]`);
}

/** Prints every process that this user may look at. */
export async function reportProcesses(options: ProcessesOptions): Promise<number> {
  const { processes, hidden } = await listProcesses();
  if (options.json === true) {
    printJson({ processes, hidden });
    return 0;
  }
  const rows = options.tree === true
    ? arrangeTree(processes)
    : processes.map((entry) => ({ entry, branch: "" }));
  const width = isTerminal() ? terminalWidth() : null;
  for (const line of layOut(PROCESS_COLUMNS, rows, width)) print(line);
  if (hidden > 0) printError(`offheap: ${explainHidden(hidden)}\n`);
  return 0;
}

/** Why processes are missing, and how to see them. */
function explainHidden(count: number): string {
  const [which, them] = count === 1
    ? ["1 more process is not shown", "it"]
    : [`${count} more are not shown`, "them"];
  return process.getuid?.() === 0
    ? `${which}: root may not look at ${them} without the capability SYS_PTRACE, as in a container.`
    : `${which}: this user may not look at ${them}. Run offheap as root to see all.`;
}
