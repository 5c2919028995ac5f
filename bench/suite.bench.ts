/**
 * The benchmark suite: workloads under each allocator, in paired rounds, with a report.
 *
 *     npm run bench -- --quick --out DIR
 *     npm run bench -- --full
 *     npm run bench -- --full --mimalloc ../mimalloc-2.4.1
 *     npm run bench -- --report-only --out DIR
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { Command, Option } from "commander";
import { buildMissing, positive } from "../tools/common.ts";
import { ROOT } from "../tools/paths.ts";
import { findRuntimes, RUNTIMES } from "../tools/runtimes.ts";
import { buildChurn } from "./native/build.ts";
import { writeReport } from "./report/write.ts";
import { CASES, programOf } from "./suite/cases.ts";
import { measure } from "./suite/measure.ts";
import type { Mode } from "./suite/results.ts";
import { readResults } from "./suite/results-file.ts";
import { select, type Tables } from "./suite/setup.ts";
import { SUBJECTS } from "./suite/subjects.ts";

interface Options {
  readonly full?: true;
  readonly out?: string;
  readonly only?: string;
  readonly subjects?: readonly string[];
  readonly rounds?: number;
  readonly fresh?: true;
  readonly reportOnly?: true;
  readonly mimalloc?: string;
  readonly jemalloc?: string;
}

const TABLES: Tables = { cases: CASES, subjects: SUBJECTS, programOf };
const INTERRUPTED = 130; // as a shell says of SIGINT

function say(line: string): void {
  console.error(line);
}

const options = new Command("npm run bench --")
  .description("measure workloads under each allocator, and write a report")
  .addOption(new Option("--quick", "in under five minutes (the default)").conflicts("full"))
  .option("--full", "everything, in about an hour")
  .option("--out <directory>", "where results go (default: build/bench/<quick or full>)")
  .option("--only <part>", "only cases whose id contains this")
  .option("--subjects <id...>", "only these subjects, and the system's allocator")
  .option("--rounds <number>", "another number of rounds", positive)
  .option("--fresh", "start over, where runs of an earlier start would be kept")
  .option("--report-only", "make the report again from results that are there")
  .option("--mimalloc <source>", "with mimalloc built from this directory, archive or URL")
  .option("--jemalloc <source>", "with jemalloc built from this directory, archive or URL")
  .parse()
  .opts<Options>();

const mode: Mode = options.full === true ? "full" : "quick";
const out = options.out ?? join(ROOT, "build", "bench", mode);

/** Measures; whether it came to its end. */
async function measured(): Promise<boolean> {
  if (options.reportOnly === true) return true;
  const { only, subjects, rounds, fresh = false, mimalloc, jemalloc } = options;
  const choice = { mode, only, subjects, rounds };
  select(choice, TABLES); // a wrong name is reported before anything is built
  buildMissing(["secure"], { mimalloc, jemalloc });
  buildChurn();
  const { found } = await findRuntimes(RUNTIMES);
  return measure(TABLES, choice, { directory: out, fresh }, found, say);
}

try {
  if (await measured()) {
    for (const file of writeReport(out, readResults(out))) say(`wrote ${file}`);
  } else process.exitCode = INTERRUPTED;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
