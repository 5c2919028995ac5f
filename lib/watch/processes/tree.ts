/**
 * The list of processes as a tree: each below the one that started it.
 *
 * @module
 */
import type { ListedProcess } from "./types.ts";

/** A process with its place in the tree. */
export interface TreeRow {
  /** The process. */
  readonly entry: ListedProcess;
  /** What is drawn before its command. */
  readonly branch: string;
}

const LINES = { last: "└─ ", more: "├─ ", open: "│  ", none: "   " } as const;

/** Puts processes below their parents, in the order of the list; those without one there are roots. */
export function arrangeTree(processes: readonly ListedProcess[]): TreeRow[] {
  const known = new Set(processes.map(({ pid }) => pid));
  const rootOf = ({ pid, parent }: ListedProcess): number =>
    known.has(parent) && parent !== pid ? parent : 0;
  const children = Map.groupBy(processes, rootOf);
  const rows: TreeRow[] = [];
  function add(entry: ListedProcess, branch: string, indent: string): void {
    rows.push({ entry, branch });
    const below = children.get(entry.pid) ?? [];
    below.forEach((child, index) => {
      const isLast = index === below.length - 1;
      add(
        child,
        indent + (isLast ? LINES.last : LINES.more),
        indent + (isLast ? LINES.none : LINES.open),
      );
    });
  }
  for (const root of children.get(0) ?? []) add(root, "", "");
  return rows;
}
