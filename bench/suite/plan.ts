/**
 * What is run, in which order: rounds go through all cases, and each round of a case through all
 * its subjects, in the order of a comparison's rounds. So each ratio is of two runs that were close in
 * time, and each subject has each place about as often.
 *
 * @module
 */
import { orderOf } from "../../lib/watch/compare/order.ts";
import type { CaseInfo, Mode } from "./results.ts";

/** A case that is ready to run. */
export interface PlannedCase {
  readonly info: CaseInfo;
  /** Its program and arguments, without what a subject puts in front. */
  readonly command: readonly [string, ...string[]];
  readonly warmUp: boolean;
  /** A first guess of a run's time, in seconds. */
  readonly seconds: number;
}

/** One run that is to be done. */
export interface Step {
  readonly case: string;
  readonly subject: string;
  /** Counted from 1; 0 is the warm-up. */
  readonly round: number;
}

/** What makes runs of two starts comparable: equal, or the second must not go on. */
export interface PlanKey {
  readonly mode: Mode;
  readonly offheap: string;
  readonly seed: number;
  /** Each case's rounds, subjects and arguments, as one line. */
  readonly cases: Readonly<Record<string, string>>;
  /** The hash of each subject's files, with its variables. */
  readonly subjects: Readonly<Record<string, string>>;
}

/** What names a step in a journal. */
export function stepName({ case: id, subject, round }: Step): string {
  return `${id} ${subject} ${round}`;
}

/** The steps of some cases, in the order in which they are run. */
export function planSteps(cases: readonly PlannedCase[], seed: number): Step[] {
  const most = Math.max(0, ...cases.map(({ info }) => info.rounds));
  const steps: Step[] = [];
  for (let round = 1; round <= most; round++) {
    for (const { info, warmUp } of cases) {
      if (round > info.rounds) continue;
      const [first] = info.subjects;
      if (round === 1 && warmUp && first !== undefined) {
        steps.push({ case: info.id, subject: first, round: 0 });
      }
      for (const subject of orderOf(info.subjects, round, seed)) {
        steps.push({ case: info.id, subject, round });
      }
    }
  }
  return steps;
}

/** The parts of a plan's key that differ between two, by their names. */
export function differences(one: PlanKey, other: PlanKey): string[] {
  const flat = ({ cases, subjects, ...rest }: PlanKey): Map<string, unknown> =>
    new Map<string, unknown>([
      ...Object.entries(rest),
      ...Object.entries(cases).map(([id, value]) => [`case ${id}`, value] as const),
      ...Object.entries(subjects).map(([id, value]) => [`subject ${id}`, value] as const),
    ]);
  const [left, right] = [flat(one), flat(other)];
  const names = new Set([...left.keys(), ...right.keys()]);
  return [...names].filter((name) => left.get(name) !== right.get(name));
}

/** What is left to do, in seconds: by the median of a case's finished runs, else by the guess. */
export function secondsLeft(
  left: readonly Step[],
  cases: readonly PlannedCase[],
  medianOf: (caseId: string) => number | null,
): number {
  const guess = new Map(cases.map(({ info, seconds }) => [info.id, seconds]));
  return left.reduce((sum, step) => sum + (medianOf(step.case) ?? guess.get(step.case) ?? 0), 0);
}
