/**
 * Real programs under the usual variants, by `offheap compare`.
 *
 *     npm run bench:programs
 *     npm run bench:programs -- --only http --rounds 10
 *     npm run bench:programs -- --write
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Command } from "commander";
import { roundsToFind } from "../lib/watch/compare/statistics.ts";
import { type Comparison, readComparison } from "../lib/watch/compare/comparison.ts";
import { positive } from "../tools/common.ts";
import { freePort } from "../tools/free-port.ts";
import { unformatted, withPart } from "../tools/marked-text.ts";
import { installLocked } from "../tools/packages/locked.ts";
import { ROOT } from "../tools/paths.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";
import { programsFor, type Scale } from "./programs/list.ts";
import { compareOnce } from "./programs/run.ts";
import { type ProgramResult, programsText } from "./programs/tables.ts";

/** Where `--write` keeps what came of them, and the document that has it. */
export const COMMITTED: string = join(ROOT, "docs/development/benchmarks/programs.json");
/** The document. */
export const DOCUMENT: string = join(ROOT, "docs/user-guide/measuring.md");

/** The document's text with the part that results give it. */
export function documentWith(results: readonly ProgramResult[]): string {
  const part = unformatted(programsText(results));
  return withPart(readFileSync(DOCUMENT, "utf8"), "programs", part);
}

/** What is kept of a comparison: not the runs, and no place on this machine. */
function resultOf(id: string, title: string, comparison: Comparison): ProgramResult {
  const { started, machine, rounds, outcome, leftOut, statuses } = comparison;
  return { id, title, started, machine, rounds, outcome, leftOut, statuses };
}

async function main(): Promise<void> {
  const { rounds, only, test, write, out, from } = new Command("npm run bench:programs --")
    .description("Compares real programs under the usual variants.")
    .option("--rounds <number>", "rounds of each", positive, roundsToFind(3))
    .option("--only <part>", "only programs whose id contains this", "")
    .option("--test", "next to no work: whether all of them run")
    .option("--out <directory>", "where pages and JSON go", join(ROOT, "build/bench/programs"))
    .option("--from <directory>", "no measurement: what an earlier start has left there")
    .option("--write", "keep the results, and put them into the guide")
    .parse()
    .opts<
      { rounds: number; only: string; test?: true; write?: true; out: string; from?: string }
    >();
  const scale: Scale = test === true ? "test" : "full";
  const { found } = await findRuntimes(parseRuntimeNames(["node26", "deno", "bun"]));
  const chosen = programsFor(found).filter(({ id }) => id.includes(only));
  const path = from === undefined ? [join(installLocked("load"), "node_modules", ".bin")] : [];
  mkdirSync(out, { recursive: true });
  const results: ProgramResult[] = [];
  for (const { id, title, words } of chosen) {
    console.error(title);
    const page = ["--html", join(out, `${id}.html`), "--save", join(out, `${id}.json`)];
    const options = ["--rounds", `${rounds}`, ...page];
    const comparison = from === undefined
      ? compareOnce(process.execPath, [...options, ...words(scale, await freePort())], path)
      : readComparison(join(from, `${id}.json`));
    results.push(resultOf(id, title, comparison));
  }
  console.log(programsText(results));
  if (write !== true) return;
  writeFileSync(COMMITTED, `${JSON.stringify(results)}\n`);
  writeFileSync(DOCUMENT, documentWith(results));
}

if (import.meta.main) await main();
