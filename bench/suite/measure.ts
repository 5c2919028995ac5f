/**
 * A start of the suite: prepares what is chosen, runs what is left, writes the results.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { liveLine } from "../../lib/cli/live-line.ts";
import { formatAge } from "../../lib/units.ts";
import type { Runtime } from "../../tools/runtimes.ts";
import { collect } from "./collect.ts";
import { JOURNAL_FILE, openJournal } from "./journal.ts";
import { describeMachine } from "./machine.ts";
import { secondsLeft } from "./plan.ts";
import { prepareSubjects } from "./prepare.ts";
import { progressText } from "./progress.ts";
import { writeResults } from "./results-file.ts";
import { runSuite } from "./run.ts";
import { type Choice, lacking, select, setUp, type Tables } from "./setup.ts";

/** Where results go, and whether runs of an earlier start count. */
export interface Place {
  readonly directory: string;
  readonly fresh: boolean;
}

/**
 * Measures until all is done, or SIGINT or SIGTERM comes. What is finished is kept in each case.
 *
 * @param say Takes a line for the user.
 * @returns Whether all is done, and the results are written.
 * @throws {Error} when the choice cannot be run here, or a run fails.
 */
export async function measure(
  tables: Tables,
  choice: Choice,
  { directory, fresh }: Place,
  runtimes: readonly Runtime[],
  say: (line: string) => void,
): Promise<boolean> {
  const selection = select(choice, tables);
  const lacks = lacking(selection.cases, tables, runtimes);
  if (lacks.length > 0) throw new Error(`Cannot run the suite:\n  ${lacks.join("\n  ")}`);
  const machine = describeMachine();
  const prepared = prepareSubjects(selection.subjects);
  const setup = setUp(choice, selection, prepared, tables, runtimes);
  const journal = openJournal(join(directory, JOURNAL_FILE), { key: setup.key, fresh });
  for (const { title, reason } of setup.missing) say(`left out: ${title}: ${reason}`);
  for (const note of journal.notes) say(note);
  const whole = formatAge(secondsLeft(setup.steps, setup.cases, () => null));
  say(`${setup.steps.length} runs, ${journal.runs.length} of them done; about ${whole} for all`);

  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const line = liveLine();
  try {
    await runSuite({
      ...setup,
      journal,
      progress: (...about) => line.show(progressText(...about), true),
      abort: stop.signal,
    });
  } catch (error) {
    line.end();
    if (!stop.signal.aborted) throw error;
    const done = `${journal.runs.length} of ${setup.steps.length}`;
    say(`Interrupted; ${done} runs are kept. The same command goes on from there.`);
    return false;
  } finally {
    line.end();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  writeResults(directory, collect(setup, journal.runs, journal.started, machine, runtimes));
  return true;
}
