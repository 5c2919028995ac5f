/**
 * The loop of the suite: each step that the journal does not have yet.
 *
 * @module
 */
import { RunError } from "../../lib/watch/compare/program.ts";
import { medianOf } from "../../lib/median.ts";
import { execute } from "./execute.ts";
import type { Journal } from "./journal.ts";
import { type PlannedCase, secondsLeft, type Step } from "./plan.ts";
import type { Progress } from "./progress.ts";
import type { Run } from "./results.ts";
import type { Subject } from "./prepare.ts";

/** What is run, where it is written, and what is shown. */
export interface SuiteRun {
  readonly cases: readonly PlannedCase[];
  readonly subjects: readonly Subject[];
  readonly steps: readonly Step[];
  readonly journal: Journal;
  readonly progress: Progress;
  /** Ends the suite; what is finished stays. */
  readonly abort: AbortSignal;
}

function byId<T>(items: readonly T[], idOf: (item: T) => string): (id: string) => T {
  const all = new Map(items.map((item) => [idOf(item), item]));
  return (id) => {
    const found = all.get(id);
    if (found === undefined) throw new Error(`Cannot run the suite: there is no ${id}`);
    return found;
  };
}

/** Equal keys must do equal work: the program and its arguments, whatever runs it. */
function workKey({ info }: PlannedCase): string {
  return JSON.stringify([info.workload, ...info.arguments]);
}

/**
 * Checks that each run did the same work as the others with the same arguments, in whatever
 * runtime and under whatever subject.
 */
function workCheck(caseOf: (id: string) => PlannedCase): (run: Run) => void {
  const first = new Map<string, Run>();
  return (run) => {
    const key = workKey(caseOf(run.case));
    const other = first.get(key);
    if (other === undefined) first.set(key, run);
    else if (other.output.work !== run.output.work) {
      throw new RunError(
        `Cannot compare ${run.case} under ${run.subject} with ${other.case} under ` +
          `${other.subject}: they must do the same work; got ${run.output.work} and ` +
          other.output.work,
      );
    }
  };
}

function medianSeconds(runs: readonly Run[]): (caseId: string) => number | null {
  return (caseId) => {
    const times = runs.filter((run) => run.case === caseId).map(({ seconds }) => seconds);
    return times.length === 0 ? null : medianOf(times);
  };
}

/**
 * Runs what is left of a plan.
 *
 * @throws {RunError} for the first run that fails; those before it are in the journal.
 */
export async function runSuite(suite: SuiteRun): Promise<void> {
  const { steps, journal, progress, abort } = suite;
  const caseOf = byId(suite.cases, ({ info }) => info.id);
  const subjectOf = byId(suite.subjects, ({ info }) => info.id);
  const check = workCheck(caseOf);
  for (const run of journal.runs) check(run);
  const left = steps.filter((step) => !journal.has(step));
  for (const [index, step] of left.entries()) {
    abort.throwIfAborted();
    const rest = secondsLeft(left.slice(index), suite.cases, medianSeconds(journal.runs));
    progress(step, steps.length - left.length + index, steps.length, rest);
    const run = await execute(step, caseOf(step.case), subjectOf(step.subject), abort);
    check(run);
    journal.add(run);
  }
}
