/**
 * The display of a suite's progress: one live line on a terminal, else a line for each run.
 *
 * @module
 */
import { type DefaultRenderer, Listr, type ListrTaskWrapper, type SimpleRenderer } from "listr2";
import type { Step } from "./plan.ts";

/** What is shown. */
export interface Progress {
  /** Before a run: how many are done of how many, and the time left in seconds. */
  step(step: Step, done: number, total: number, left: number): void;
  /** What is to be seen whatever comes after. */
  note(line: string): void;
  end(error?: unknown): Promise<void>;
}

const MINUTE = 60;
const HOUR = 3600;

/** A time in words, as coarse as an estimate is. */
export function duration(seconds: number): string {
  const rounded = Math.round(seconds);
  if (rounded < MINUTE) return `${rounded} s`;
  const minutes = Math.round(seconds / MINUTE);
  if (minutes < 2 * MINUTE) return `${minutes} min`;
  return `${(seconds / HOUR).toFixed(1)} h`;
}

function lineOf({ case: id, subject, round }: Step, done: number, total: number, left: number) {
  const count = String(done + 1).padStart(String(total).length);
  const when = round === 0 ? "warm-up" : `round ${round}`;
  return `[${count}/${total}] ${id}, ${subject}, ${when}; about ${duration(left)} left`;
}

/** A line for each run. */
export function plainProgress(write: (line: string) => void): Progress {
  return {
    step: (step, done, total, left) => write(lineOf(step, done, total, left)),
    note: write,
    end: () => Promise.resolve(),
  };
}

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** One line that is redrawn, by listr2. Signals stay the suite's own affair. */
export function liveProgress(): Progress {
  const ended = Promise.withResolvers<void>();
  let shown: Task | null = null;
  const drawn = new Listr([{
    title: "benchmarks",
    task: (_: unknown, task: Task): Promise<void> => {
      shown = task;
      return ended.promise;
    },
    rendererOptions: { persistentOutput: true },
  }], { registerSignalListeners: false }).run();
  drawn.catch(() => {}); // the suite's own error is what is thrown
  return {
    step(step, done, total, left) {
      if (shown !== null) shown.title = lineOf(step, done, total, left);
    },
    note(line) {
      if (shown !== null) shown.output = line;
    },
    async end(error) {
      if (shown !== null) shown.title = error === undefined ? "all runs are done" : "not all done";
      if (error === undefined) ended.resolve();
      else ended.reject(new Error("stopped")); // why is said by whoever has the error
      await drawn.catch(() => {});
    },
  };
}
