/**
 * Running the cases of misuse, each in a process of its own, and what became of them.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import type { MisuseCase, Setup } from "./program.ts";

/**
 * What became of a case: `stopped`, the process was ended by a signal, or the misuse was reported on
 * standard error and the program went on unharmed; `unseen`, it went on, and saw nothing amiss;
 * `harmed`, its blocks overlapped or were changed, it read what a freed block had held, or it hung.
 */
export type Outcome = "stopped" | "unseen" | "harmed";

/** The outcomes of one case under one set-up, of all repetitions. */
export interface CaseResult extends MisuseCase {
  /** The set-up's title. */
  readonly setup: string;
  /** The worst of them: a case counts as stopped when it was stopped each time. */
  readonly outcome: Outcome;
  /** How it ended and what it said, of the repetition that decided. */
  readonly detail: string;
}

/** No case takes a second, also on a busy machine. */
const LIMIT_MS = 30_000;

const SIZES: readonly string[] = ["small", "medium", "large"];

/** From the best to the worst. */
const RANKS: readonly Outcome[] = ["stopped", "unseen", "harmed"];

interface Ending {
  readonly outcome: Outcome;
  readonly detail: string;
}

/** Runs a case once. */
function runOnce(program: string, one: MisuseCase, { variables }: Setup): Ending {
  const { status, signal, stdout, stderr, error } = spawnSync(
    program,
    [one.class, one.way, one.size],
    {
      env: { ...process.env, ...variables },
      encoding: "utf8",
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    },
  );
  const said = stderr.trim().split("\n")[0] ?? "";
  if (error !== undefined && "code" in error && error.code === "ETIMEDOUT") {
    return { outcome: "harmed", detail: "hung" };
  }
  if (signal !== null) return { outcome: "stopped", detail: `${signal} ${said}`.trim() };
  if (status !== 0) {
    throw new Error(`Cannot judge a case: ${Object.values(one)}: status ${status}: ${said}`);
  }
  const saw = stdout.trim().split("\n").at(-1) ?? "";
  const detail = `${saw} ${said}`.trim();
  if (saw !== "intact") return { outcome: "harmed", detail };
  return { outcome: said === "" ? "unseen" : "stopped", detail };
}

function runRepeatedly(program: string, one: MisuseCase, setup: Setup, times: number): Ending {
  const endings = Array.from({ length: times }, () => runOnce(program, one, setup));
  const worst = Math.max(...endings.map(({ outcome }) => RANKS.indexOf(outcome)));
  const deciding = endings.find(({ outcome }) => RANKS.indexOf(outcome) === worst);
  if (deciding === undefined) throw new RangeError("Cannot judge a case that was not run");
  return deciding;
}

/**
 * Runs all cases under a set-up.
 *
 * @param times How often each.
 * @throws {Error} when the set-up stops or harms a program that misuses nothing.
 */
export function runCases(
  program: string,
  cases: readonly MisuseCase[],
  setup: Setup,
  times: number,
): CaseResult[] {
  for (const size of SIZES) {
    const { outcome, detail } = runOnce(program, { class: "none", way: "", size }, setup);
    if (outcome === "unseen") continue;
    throw new Error(`Cannot use ${setup.title}: a program without misuse ended so: ${detail}`);
  }
  return cases.map((one) => ({
    ...one,
    setup: setup.title,
    ...runRepeatedly(program, one, setup, times),
  }));
}
