/**
 * `npm run bench:analysis`: writes the figures of documents from the results of one full run, which
 * are in docs/development/benchmarks.
 *
 * @module
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { partsOf, unformatted, withPart } from "../tools/marked-text.ts";
import { ROOT } from "../tools/paths.ts";
import { burstChart } from "./analysis/chart.ts";
import { PARTS } from "./analysis/parts.ts";
import type { Results } from "./suite/results.ts";
import { readResults, RESULTS_FILE, SCHEMA_FILE } from "./suite/results-file.ts";

/** Where the committed results are. */
export const COMMITTED: string = join(ROOT, "docs", "development", "benchmarks");

/** The documents that have parts. */
const DOCUMENTS: readonly string[] = [
  "README.md",
  "docs/development/memory-allocator-analysis.md",
];
const CHART = "docs/development/benchmarks/burst.svg";

function partOf(name: string, results: Results): string {
  return unformatted(PARTS[name]?.(results) ?? "");
}

/** Every file that is made of the results, by its path, with its whole text. */
export function filesFrom(results: Results): Map<string, string> {
  const texts = DOCUMENTS.map((path): [string, string] => {
    const text = readFileSync(join(ROOT, path), "utf8");
    const names = partsOf(text).filter((name) => name in PARTS);
    return [path, names.reduce((all, name) => withPart(all, name, partOf(name, results)), text)];
  });
  return new Map([...texts, [CHART, burstChart(results)]]);
}

function main(): void {
  const program = new Command("npm run bench:analysis --")
    .description("Writes the figures of documents from the results of a full run.")
    .option("--from <directory>", "take the results of this run over first");
  program.parse();
  const { from } = program.opts<{ from?: string }>();
  if (from !== undefined) {
    const { mode } = readResults(from);
    if (mode !== "full") throw new Error(`Cannot take over ${from}: it is a ${mode} run`);
    mkdirSync(COMMITTED, { recursive: true });
    for (const name of [RESULTS_FILE, SCHEMA_FILE]) {
      copyFileSync(join(from, name), join(COMMITTED, name));
    }
  }
  for (const [path, text] of filesFrom(readResults(COMMITTED))) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
    console.log(path);
  }
}

if (import.meta.main) main();
