/**
 * What a snapshot of memory takes with a million live blocks of offheap's, in each runtime:
 * `npm run bench:snapshot -- --allocator jemalloc`. The allocator's own figures, `stats()`, have a
 * limit of 50 microseconds at the median; what the kernel has to be asked for takes longer.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import process from "node:process";
import { Command, Option } from "commander";
import { BUILT_ALLOCATORS } from "../lib/allocators/mod.ts";
import { layoutTable } from "../tools/markdown-table.ts";
import { howItEnded, runToEnd } from "../tools/processes.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";

const CHILD = fileURLToPath(new URL("./snapshot/child.ts", import.meta.url));
const LIMIT = 50;
const LIMITED = "stats()";

const { runtime: names, allocator } = new Command("npm run bench:snapshot --")
  .description("Measures snapshots of memory with a million live blocks.")
  .option("--runtime <names...>", "deno, bun, node26, node22; all without it", [])
  .addOption(
    new Option("--allocator <name>", "of the blocks")
      .choices([...BUILT_ALLOCATORS, "system"]).default("jemalloc"),
  )
  .parse().opts<{ runtime: string[]; allocator: string }>();

const { found, missing } = await findRuntimes(parseRuntimeNames(names));
for (const { spec, reason } of missing) console.error(`${spec.title} was not found: ${reason}`);
const columns = new Map<string, Readonly<Record<string, number>>>();
for (const { spec, binary } of found) {
  const command = [binary, ...spec.run, CHILD, allocator] as const;
  const ending = await runToEnd(command, { stdio: ["ignore", "pipe", "inherit"] });
  if (ending.status !== 0) {
    throw new Error(`Cannot measure a snapshot in ${spec.title}: it ${howItEnded(ending)}`);
  }
  columns.set(spec.title, JSON.parse(ending.stdout));
}
const rows = Object.keys([...columns.values()][0] ?? {});
console.log(`${allocator}, a million live blocks, microseconds at the median\n`);
console.log(layoutTable(
  ["snapshot", ...columns.keys()],
  rows.map((row) => [row, ...[...columns.values()].map((column) => column[row]?.toFixed(0) ?? "")]),
));
for (const [title, column] of columns) {
  if ((column[LIMITED] ?? Infinity) <= LIMIT) continue;
  console.error(`Above its limit of ${LIMIT} µs: ${LIMITED} in ${title}`);
  process.exitCode = 1;
}
