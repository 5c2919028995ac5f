/**
 * What native memory costs, by its ratio to what a program would do without offheap, in each
 * runtime. Lower is better; a ratio's limit is in memory/limits.ts.
 *
 *     npm run bench:memory -- [--json FILE] [--case PATTERN] [--runtime NAMES...]
 *       [--allocator jemalloc|mimalloc] [--quick] [--check]
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { Command, Option } from "commander";
import { BUILT_ALLOCATORS } from "../lib/allocators/mod.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";
import { CASES } from "./memory/all.ts";
import { isAbove } from "./memory/limits.ts";
import { tableOf } from "./memory/report.ts";
import type { Row } from "./memory/rows.ts";
import { runCase } from "./memory/run.ts";

interface Options {
  readonly json?: string;
  readonly runtime?: readonly string[];
  readonly case?: string;
  readonly allocator: string;
  readonly quick?: boolean;
  readonly check?: boolean;
}

const options: Options = new Command("npm run bench:memory --")
  .description("Measures native memory against what a program would do without offheap.")
  .option("--json <file>", "write the results")
  .option("--runtime <names...>", "deno, bun, node26, node22; all without it")
  .option("--case <pattern>", "only cases whose name matches, as a regular expression")
  .addOption(
    new Option("--allocator <name>", "the allocator; the policy's without it")
      .choices(["auto", ...BUILT_ALLOCATORS]).default("auto"),
  )
  .option("--quick", "measure less: for a look, not for figures")
  .option("--check", "fail when a ratio is above its limit")
  .parse().opts();

const { found, missing } = await findRuntimes(parseRuntimeNames(options.runtime ?? []));
for (const { spec, reason } of missing) console.error(`${spec.title} was not found: ${reason}`);
const pattern = new RegExp(options.case ?? "");
const rows: Row[] = [];
for (const { name, runtimes } of CASES) {
  if (!pattern.test(name)) continue;
  for (const runtime of found) {
    if (runtimes !== undefined && !runtimes.includes(runtime.spec.name)) continue;
    if (process.stderr.isTTY) process.stderr.write(`${name} in ${runtime.spec.title}\n`);
    const effort = options.quick === true ? "quick" : "full";
    rows.push(...await runCase(runtime, name, { allocator: options.allocator, effort }));
  }
}
console.log(tableOf(rows));
if (options.json !== undefined) {
  writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
}
const above = rows.filter(isAbove);
for (const { case: name, runtime } of above) {
  console.error(`Above its limit: ${name} in ${runtime}`);
}
if (options.check === true && (above.length > 0 || missing.length > 0)) process.exitCode = 1;
