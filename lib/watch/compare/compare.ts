/**
 * A comparison: warm-ups, rounds of all variants in turns, and what comes of them.
 *
 * @module
 */
import { CompareError } from "../../errors.ts";
import { execute } from "./execute.ts";
import { AGAIN, judge, type JudgeOptions, type Outcome, widestInterval } from "./judge.ts";
import { requireLoad } from "./load.ts";
import { orderOf } from "./order.ts";
import { type ProgramPlan, RunError } from "./program.ts";
import { outsideProof } from "./prove.ts";
import { roundsToFind } from "./statistics.ts";
import type { FigureName, MemoryCurve, Run } from "./types.ts";
import type { LeftOut, Variant } from "./variants.ts";

/** When to stop: by numbers that are fixed before, or by how narrow the intervals are. */
export interface Extent {
  readonly rounds: number;
  /** No round is begun that would end after this time, in milliseconds; `null` without a limit. */
  readonly timeLimitMs: number | null;
  /** Ends as soon as all intervals are this narrow, as a part of 1 on each side; else `null`. */
  readonly until: number | null;
}

/** What is compared, and how. */
export interface ComparePlan extends Extent {
  readonly program: ProgramPlan;
  /** The first is the baseline. */
  readonly variants: readonly Variant[];
  readonly seed: number;
  readonly judging: JudgeOptions;
  /** The longest that a run may take, in milliseconds; `null` to go by the baseline's. */
  readonly limitMs: number | null;
}

/** What is known so far. */
export interface Measured {
  readonly runs: Run[];
  readonly curves: MemoryCurve[];
  readonly leftOut: LeftOut[];
  /** What a user should know of a variant. */
  readonly notes: string[];
}

/** Who looks on. */
export interface Watcher {
  /** Before a run; `secondsLeft` is `null` before the first round is done. */
  starts(variant: string, round: number, secondsLeft: number | null): void;
  /** After each counted run. */
  ran(measured: Measured): void;
}

/** The figures whose intervals `until` is about: those that were measured of them. */
const UNTIL_FIGURES: readonly FigureName[] = [
  "wallSeconds",
  "userSeconds",
  "peakBytes",
  "idleBytes",
  "metric",
  "latencyP50Seconds",
];

/** How many times the baseline's warm-up a run may take before it counts as hanging, and at least. */
const PATIENCE = 10;
const MIN_LIMIT_MS = 60_000;
/** The longest that a first warm-up may take. */
const FIRST_LIMIT_MS = 3_600_000;

function describe({ status, signal }: Pick<Run, "status" | "signal">): string {
  return signal === null ? `status ${status}` : signal;
}

/** What a shell reports of a program that SIGTERM ended, and a server may end with itself. */
const TERMINATED = 143;

/** How the baseline failed, where it did: its figures may be those of an error. */
export function baselineFailures(runs: readonly Run[], baseline: string): string[] {
  const failed = runs.filter(({ variant, status }) =>
    variant === baseline && status !== null && status !== 0 && status !== TERMINATED
  );
  return [...new Set(failed.map(describe))];
}

/** Exit statuses that differ from the baseline's: the programs did not do the same. */
export function statusDifferences(runs: readonly Run[], baseline: string): string[] {
  const endings = Map.groupBy(runs, ({ variant }) => variant.replace(AGAIN, ""));
  const of = (variant: string): string[] =>
    [...new Set(endings.get(variant)?.map(describe))].sort();
  const usual = of(baseline);
  return [...endings.keys()].flatMap((variant) => {
    const own = of(variant);
    if (own.join() === usual.join()) return [];
    return [`${variant} ended with ${own.join(" and ")}, ${baseline} with ${usual.join(" and ")}`];
  });
}

/** Drops a variant, with all that was measured of it. */
function leaveOut(measured: Measured, variant: string, reason: string): void {
  measured.leftOut.push({ variant, reason });
  const kept = measured.runs.filter((run) => run.variant !== variant);
  measured.runs.splice(0, measured.runs.length, ...kept);
}

/** One run in each variant whose allocator is proven in it, and that is not counted. */
async function warmUp(
  plan: ComparePlan,
  measured: Measured,
  watcher: Watcher,
  abort: AbortSignal,
): Promise<{ variants: Variant[]; limitMs: number }> {
  const variants: Variant[] = [];
  let limitMs = plan.limitMs ?? FIRST_LIMIT_MS;
  for (const variant of plan.variants) {
    watcher.starts(variant.name, 0, null);
    const begin = performance.now();
    try {
      const proof = variant.serves === null ? null : outsideProof(variant.serves);
      const result = await execute(plan.program, variant.proof, limitMs, abort, proof?.look);
      proof?.require();
      measured.curves.push({ variant: variant.name, samples: result.samples });
      measured.notes.push(...result.notes.map((note) => `${variant.name} ${note}`));
      variants.push(variant);
    } catch (error) {
      if (!(error instanceof RunError) || variants.length === 0) throw error;
      leaveOut(measured, variant.name, error.message);
    }
    if (variants.length === 1 && plan.limitMs === null) {
      limitMs = Math.max(MIN_LIMIT_MS, PATIENCE * (performance.now() - begin));
    }
  }
  return { variants, limitMs };
}

/** The runs of a round: each variant once, and the baseline once more. */
function turnsOf(variants: readonly Variant[]): { variant: Variant; as: string }[] {
  const turns = variants.map((variant) => ({ variant, as: variant.name }));
  const again = turns.slice(0, 1).map(({ variant, as }) => ({ variant, as: as + AGAIN }));
  return [...turns, ...again];
}

function isNarrow(plan: ComparePlan, measured: Measured, names: readonly string[]): boolean {
  if (plan.until === null) return false;
  const outcome = judge(measured.runs, names, plan.judging);
  return widestInterval(outcome, UNTIL_FIGURES) <= plan.until;
}

/**
 * Runs all variants in rounds.
 *
 * @param measured What an earlier start has measured, which is gone on from; it is added to, and is
 * as good as the rounds in it when this throws.
 * @throws {CompareError} when the baseline cannot be run, or nothing is left beside it.
 */
export async function measure(
  plan: ComparePlan,
  measured: Measured,
  watcher: Watcher,
  abort: AbortSignal,
): Promise<void> {
  requireLoad(plan.program.load);
  const begin = performance.now();
  const { variants, limitMs } = await warmUp(plan, measured, watcher, abort);
  const baseline = plan.judging.baseline;
  const first = Math.max(0, ...measured.runs.map(({ round }) => round)) + 1;
  let active = variants;
  for (let round = first; round <= plan.rounds; round++) {
    const names = active.map(({ name }) => name);
    if (names.length < 2) {
      throw new CompareError(
        "Cannot compare: only one variant can be run.\n" +
          measured.leftOut.map(({ variant, reason }) => `  ${variant}: ${reason}`).join("\n"),
      );
    }
    const roundBegin = performance.now();
    const passed = round - first;
    const perRound = passed === 0 ? null : (roundBegin - begin) / (passed + 1);
    const rest = plan.timeLimitMs === null ? Infinity : begin + plan.timeLimitMs - roundBegin;
    if (perRound !== null && perRound > rest) break;
    const left = perRound === null
      ? null
      : Math.min((plan.rounds - round + 1) * perRound, rest) / 1000;
    const failed = new Set<string>();
    const done: Run[] = [];
    for (const { variant, as } of orderOf(turnsOf(active), round, plan.seed)) {
      watcher.starts(as, round, left);
      try {
        const { figures, status, signal } = await execute(
          plan.program,
          variant.environment,
          limitMs,
          abort,
        );
        done.push({ variant: as, round, figures, status, signal });
      } catch (error) {
        if (!(error instanceof RunError) || variant.name === baseline) throw error;
        failed.add(variant.name);
        leaveOut(measured, variant.name, error.message);
      }
    }
    measured.runs.push(...done.filter(({ variant }) => !failed.has(variant)));
    active = active.filter(({ name }) => !failed.has(name));
    watcher.ran(measured);
    const isEnough = round >= roundsToFind(active.length - 1);
    if (isEnough && isNarrow(plan, measured, active.map(({ name }) => name))) break;
  }
}

/** What comes of what was measured, of variants in this order. */
export function conclude(
  { runs }: Measured,
  variants: readonly string[],
  judging: JudgeOptions,
): Outcome {
  const measured = new Set(runs.map(({ variant }) => variant));
  return judge(runs, variants.filter((name) => measured.has(name)), judging);
}
