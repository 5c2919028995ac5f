/**
 * Where a process's memory is, as `offheap info` shows it.
 *
 * @module
 */
import type { Figures } from "../allocators/statistics.ts";
import { formatBytes } from "../units.ts";
import type { CountedAllocator, ProcessMemory } from "../watch/memory/types.ts";
import { formatFields } from "./output.ts";
import { print } from "./print.ts";

/** Figures that are no bytes. */
const COUNTS: ReadonlySet<string> = new Set([
  "arenas",
  "threads",
  "minorFaults",
  "majorFaults",
  "limitReached",
  "outOfMemory",
  "killed",
]);

function formatFigure(name: string, value: number): string {
  if (name.endsWith("_ratio")) return value.toFixed(2);
  return COUNTS.has(name) ? String(value) : formatBytes(value);
}

/** One line for all figures that are missing for one reason. */
function formatAbsent(
  absent: Readonly<Partial<Record<string, string>>>,
): (readonly [string, string])[] {
  const byReason = new Map<string, string[]>();
  for (const [name, reason = ""] of Object.entries(absent)) {
    byReason.set(reason, [...byReason.get(reason) ?? [], name]);
  }
  return [...byReason].map(([reason, names]) => [names.join(", "), `- (${reason})`]);
}

function printFigures<N extends string>(title: string, figures: Figures<N>): void {
  const rows: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(figures)) {
    if (typeof value === "number") rows.push([name, formatFigure(name, value)]);
  }
  print(`\n${title}:`);
  print(formatFields([...rows, ...formatAbsent(figures.absent)]));
}

function printAllocator(whose: string, { name, version, figures }: CountedAllocator): void {
  printFigures(`${name}${version === null ? "" : ` ${version}`}, ${whose}`, figures);
}

/** Prints a snapshot. */
export function printMemory(memory: ProcessMemory): void {
  const { allocator, own, runtimeAllocator, kernel, javascript, group, fragmentation, parts } =
    memory;
  print("\nResident memory of this process, by who has it:");
  print(formatFields(parts.map(({ name, bytes }) => [name, formatBytes(bytes)])));
  printFigures("The kernel counts", kernel);
  printFigures("The JavaScript runtime counts", javascript);
  printAllocator("which serves malloc, counts", allocator);
  for (const each of own) printAllocator("for offheap's blocks, counts", each);
  if (runtimeAllocator !== null) printAllocator("the runtime's own, counts", runtimeAllocator);
  if (typeof group === "string") print(`\nControl group: ${group}`);
  else printFigures("The control group counts, for all its processes", group);
  printFigures("Fragmentation", fragmentation);
}
