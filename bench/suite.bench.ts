/**
 * The benchmark suite: workloads under each allocator, in paired rounds, with a report.
 *
 *     npm run bench -- --quick --out DIR
 *     npm run bench -- --full
 *     npm run bench -- --report-only --out DIR
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { Command, Option } from "commander";
import { buildMissing, positive } from "../scripts/common.ts";
import { findRuntimes, ROOT, RUNTIMES } from "../scripts/runtimes.ts";
import { writeReport } from "./report/write.ts";
import { CASES } from "./suite/cases.ts";
import { collect } from "./suite/collect.ts";
import { JOURNAL_FILE, openJournal } from "./suite/journal.ts";
import { describeMachine } from "./suite/machine.ts";
import { secondsLeft } from "./suite/plan.ts";
import { duration, liveProgress, plainProgress, type Progress } from "./suite/progress.ts";
import { type Mode, readResults, writeResults } from "./suite/results.ts";
import { runSuite } from "./suite/run.ts";
import { type Choice, lacking, select, setUp } from "./suite/setup.ts";
import { prepareSubjects } from "./suite/prepare.ts";
import { SUBJECTS } from "./suite/subjects.ts";

interface Options {
  readonly full?: true;
  readonly out?: string;
  readonly only?: string;
  readonly subjects?: readonly string[];
  readonly rounds?: number;
  readonly fresh?: true;
  readonly reportOnly?: true;
}

const INTERRUPTED = 130; // as a shell says of SIGINT

function say(line: string): void {
  console.error(line);
}

/** Runs what is left, until it is done or interrupted. */
async function measure(choice: Choice, out: string, fresh: boolean): Promise<void> {
  const selection = select(choice, CASES, SUBJECTS);
  const { found } = await findRuntimes(RUNTIMES);
  const lacks = lacking(selection.cases, found);
  if (lacks.length > 0) throw new Error(`Cannot run the suite:\n  ${lacks.join("\n  ")}`);
  buildMissing(["release", "secure"]);
  const machine = describeMachine();
  const prepared = prepareSubjects(selection.subjects, process.execPath);
  const setup = setUp(choice, selection, prepared, found);
  const journal = openJournal(join(out, JOURNAL_FILE), { key: setup.key, fresh });
  for (const { title, reason } of setup.missing) say(`left out: ${title}: ${reason}`);
  for (const note of journal.notes) say(note);
  const whole = duration(secondsLeft(setup.steps, setup.cases, () => null));
  say(`${setup.steps.length} runs, ${journal.runs.length} of them done; about ${whole} for all`);

  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const progress: Progress = process.stderr.isTTY ? liveProgress() : plainProgress(say);
  try {
    await runSuite({ ...setup, journal, progress, abort: stop.signal });
    await progress.end();
  } catch (error) {
    await progress.end(error);
    if (!stop.signal.aborted) throw error;
    const done = `${journal.runs.length} of ${setup.steps.length}`;
    say(`Interrupted; ${done} runs are kept. The same command goes on from there.`);
    process.exit(INTERRUPTED);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  writeResults(out, collect(setup, journal.runs, journal.started, machine, found));
}

const options = new Command("bench")
  .description("measure workloads under each allocator, and write a report")
  .addOption(new Option("--quick", "in under five minutes (the default)").conflicts("full"))
  .option("--full", "everything, in about forty minutes")
  .option("--out <directory>", "where results go (default: build/bench/<quick or full>)")
  .option("--only <part>", "only cases whose id contains this")
  .option("--subjects <id...>", "only these subjects, and the system's allocator")
  .option("--rounds <number>", "another number of rounds", positive)
  .option("--fresh", "start anew, where runs of an earlier start would be kept")
  .option("--report-only", "make the report again from results that are there")
  .parse()
  .opts<Options>();

const mode: Mode = options.full === true ? "full" : "quick";
const out = options.out ?? join(ROOT, "build", "bench", mode);
try {
  if (options.reportOnly !== true) {
    const { only, subjects, rounds } = options;
    await measure({ mode, only, subjects, rounds }, out, options.fresh === true);
  }
  for (const file of writeReport(out, readResults(out))) say(`wrote ${file}`);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
