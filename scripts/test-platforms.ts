/**
 * `npm run test:platforms`: tries every target in every runtime that can be had here, natively or
 * by emulation, and reports it as one matrix: a table, and `build/platforms/report.json`.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Command } from "commander";
import { hostTarget } from "../lib/library/target.ts";
import { VERSION } from "../lib/version.ts";
import { buildMissing, positive } from "../tools/common.ts";
import { chooseRows, PLATFORM_RUNTIMES, rowsOn } from "./platforms/matrix.ts";
import { updateReadme, writeResults } from "./platforms/readme-table.ts";
import { runRow } from "./platforms/run-row.ts";
import { summarise, tableOf } from "./platforms/table.ts";
import type { PlatformReport, RowReport } from "./platforms/types.ts";
import { endRunning } from "../tools/processes.ts";
import { ROOT } from "../tools/paths.ts";

/** The command line's options. */
interface Options {
  readonly target: string[];
  readonly runtime: string[];
  readonly quick: boolean;
  readonly jobs: number;
  readonly write: boolean;
}

const program: Command = new Command("npm run test:platforms --")
  .description("Tries every target in every runtime that can be had here, by emulation if need be.")
  .option("-t, --target <names...>", "only these targets", [])
  .option("-r, --runtime <names...>", `only these: ${PLATFORM_RUNTIMES.join(", ")}`, [])
  .option("-q, --quick", "the columns only, without the shared tests", false)
  .option("-j, --jobs <count>", "test files at once", positive, 2)
  .option("-w, --write", "update the committed results, and README's table from them", false);

try {
  program.parse();
  process.exitCode = await main(program.opts<Options>());
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function main(options: Options): Promise<number> {
  process.on("exit", endRunning);
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  const host = hostTarget().name;
  const all = rowsOn(host);
  const chosen = chooseRows(all, options.target, options.runtime);
  if (chosen.length === 0) throw new RangeError("Cannot try anything: no row has both names");
  if (options.write && (options.quick || chosen.length < all.length)) {
    throw new RangeError("Cannot write results: they must be of the whole matrix with its tests");
  }
  // The machine's own rows run every test, and some are about the other variants.
  if (!options.quick && chosen.some(({ target }) => target === host)) {
    buildMissing(["secure", "debug"]);
  }
  const rows: RowReport[] = [];
  for (const row of chosen) {
    console.log(`\n=== ${row.target} ${row.runtime ?? ""} (${row.way})`);
    const settings = { sharedTests: !options.quick, jobs: options.jobs, write: console.log };
    rows.push(await runRow(row, settings));
  }
  const report: PlatformReport = {
    reportVersion: 1,
    offheap: VERSION,
    date: new Date().toISOString(),
    host,
    sharedTests: !options.quick,
    rows,
  };
  const file = join(ROOT, "build", "platforms", "report.json");
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\n${tableOf(report)}`);
  const { failures, skipped } = summarise(report);
  for (const line of skipped) console.log(`skipped: ${line}`);
  for (const line of failures) console.log(`FAILED: ${line}`);
  console.log(`\nreport: ${file.slice(ROOT.length)}`);
  if (options.write) {
    writeResults(report);
    updateReadme();
  }
  return failures.length === 0 ? 0 : 1;
}
