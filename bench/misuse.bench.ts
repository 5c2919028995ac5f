/**
 * What each set-up does about misuse of the heap, and what it costs: the guide's tables.
 *
 *     npm run bench:misuse -- [--times N] [--rounds N] [--library FILE...] [--json FILE] [--no-build]
 *         [--write]
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Command } from "commander";
import { buildMissing, positive } from "../tools/common.ts";
import { withPart } from "../tools/marked-text.ts";
import { ROOT } from "../tools/paths.ts";
import { measureCosts } from "./misuse/costs.ts";
import { runCases } from "./misuse/outcomes.ts";
import { buildMisuse, listCases, makeSetups } from "./misuse/program.ts";
import { costTable, DEFINITION, misuseTable } from "./misuse/tables.ts";

const GUIDE = join(ROOT, "docs", "user-guide", "memory-management.md");

const options = new Command("npm run bench:misuse --")
  .description("tries misuse of the heap under each allocator, and measures what guards cost")
  .option("--times <n>", "how often each case is tried", positive, 3)
  .option("--rounds <n>", "rounds of the measurement", positive, 5)
  .option("--library <files...>", "further libraries of the secure variant", [])
  .option("--json <file>", "write each case's end, and all figures")
  .option("--no-build", "take the libraries that are built, whatever their versions")
  .option("--write", "write the tables into the guide")
  .parse()
  .opts<{
    readonly times: number;
    readonly rounds: number;
    readonly library: readonly string[];
    readonly json?: string;
    readonly build: boolean;
    readonly write?: boolean;
  }>();

const report = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

if (options.build) buildMissing(["release", "secure"]);
const program = buildMisuse();
const cases = listCases(program);
const setups = makeSetups(options.library);
const results = setups.flatMap((setup) => {
  report(`${cases.length} cases under ${setup.title}`);
  return runCases(program, cases, setup, options.times);
});
const costs = measureCosts(setups, options.rounds, report);
const parts = { "misuse": misuseTable(results), "misuse-costs": costTable(costs) };
console.log(`${DEFINITION}\n\n${Object.values(parts).join("\n\n")}`);
if (options.json !== undefined) {
  writeFileSync(options.json, `${JSON.stringify({ results, costs }, null, 2)}\n`);
}
if (options.write === true) {
  let text = readFileSync(GUIDE, "utf8");
  for (const [name, part] of Object.entries(parts)) text = withPart(text, name, part);
  writeFileSync(GUIDE, text);
}
