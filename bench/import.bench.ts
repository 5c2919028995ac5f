/**
 * What importing the npm package and opening an allocator take in a cold process, in each runtime,
 * against the limits: `npm run bench:import -- --rounds 30`. The floor is what the same process
 * takes for the builtin modules alone, and for koffi where it is needed.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { Command } from "commander";
import { positive } from "../tools/common.ts";
import {
  builtinsOf,
  LIMITS,
  measure,
  overLimit,
  TIMES_HEAD,
  timesRows,
} from "../scripts/npm/limits.ts";
import { cleanEnvironment } from "../tools/environment.ts";
import { PROGRAMS } from "../scripts/npm/programs.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";
import { installPackage } from "./packaged.ts";

const program = new Command("npm run bench:import --")
  .description("Measures a cold import of the npm package, and opening an allocator.")
  .option("--rounds <count>", "processes for each runtime", positive, 15)
  .option("--runtime <names...>", "only these: deno, bun, node26, node22", []);
program.parse();
const { rounds, runtime: names } = program.opts<{ rounds: number; runtime: string[] }>();

const work = mkdtempSync(join(tmpdir(), "offheap-bench-import-"));
try {
  const installed = await installPackage(work);
  writeFileSync(join(work, "times.mjs"), PROGRAMS["times.mjs"] ?? "");
  const builtins = builtinsOf(join(installed, "dist", "mod.cjs"));
  const table = new Table({ head: [...TIMES_HEAD], style: { head: [], border: [] } });
  const slow: string[] = [];
  const { found, missing } = await findRuntimes(parseRuntimeNames(names));
  for (const { spec, reason } of missing) console.log(`not measured: ${spec.title}: ${reason}`);
  for (const { spec, binary, version } of found) {
    const env = cleanEnvironment(binary, { XDG_CACHE_HOME: join(work, "cache") });
    const command = [binary, ...spec.run, "times.mjs"];
    const measured = await measure(command, builtins, { cwd: work, env }, rounds);
    const title = `${spec.title} ${version}`;
    table.push(...timesRows(title, measured));
    slow.push(...overLimit(title, measured, 1));
  }
  console.log(`cold, ${rounds} processes each, in milliseconds`);
  console.log(table.toString());
  const { import: importing, open } = LIMITS;
  if (slow.length === 0) console.log(`ok: below ${importing} to import and ${open} to open`);
  for (const line of slow) console.log(`over the limit: ${line}`);
} finally {
  rmSync(work, { recursive: true, force: true, maxRetries: 5 });
}
