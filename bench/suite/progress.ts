/**
 * A suite's progress in words.
 *
 * @module
 */
import { formatAge } from "../../lib/units.ts";
import type { Step } from "./plan.ts";

/** Called before a run: how many are done of how many, and the time left in seconds. */
export type Progress = (step: Step, done: number, total: number, left: number) => void;

/** What is shown before a run. */
export function progressText(
  { case: id, subject, round }: Step,
  done: number,
  total: number,
  left: number,
): string {
  const count = String(done + 1).padStart(String(total).length);
  const when = round === 0 ? "warm-up" : `round ${round}`;
  return `[${count}/${total}] ${id}, ${subject}, ${when}; about ${formatAge(left)} left`;
}
