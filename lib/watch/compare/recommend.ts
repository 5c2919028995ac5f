/**
 * Which variant to take, by a rule that is printed with it.
 *
 * @module
 */
import type { JudgeOptions, Outcome } from "./judge.ts";
import { type ComparisonKey, type FigureName, FIGURES, type Judgement } from "./types.ts";

/** By how much a variant may be slower, at its median. */
const SLOWER = 0.03;

/** What shows slowness, and which memory is wanted to be the least: the first that was measured. */
const SPEED = ["metric", "wallSeconds", "latencyP99Seconds"] as const;
const MEMORY = ["idleBytes", "peakBytes"] as const;

/** A variant to take. */
export interface Recommendation {
  /** Its name; `null` to leave things as they are. */
  readonly variant: string | null;
  /** The command line that runs the program like this; `null` as well. */
  readonly command: readonly string[] | null;
  /** Why: a sentence, the rule included. */
  readonly reason: string;
}

/** The first of some figures that was measured. */
function firstOf<N extends FigureName>(names: readonly N[], all: readonly Judgement[]): N | null {
  return names.find((name) => all.some(({ figure }) => figure === name)) ?? null;
}

/** Whether a figure shows a variant to be slower than is allowed. */
function isSlower({ ratio, figure }: Judgement, { metricHigher }: JudgeOptions): boolean {
  const slowness = figure === "metric" && metricHigher ? 1 / ratio.median : ratio.median;
  return slowness > 1 + SLOWER;
}

/** Applies the rule: the least memory among those that are not slower. */
export function recommend(
  { judgements }: Outcome,
  { command, variants }: ComparisonKey,
  judging: JudgeOptions,
): Recommendation {
  const keep = (reason: string): Recommendation => ({ variant: null, command: null, reason });
  const figure = firstOf(MEMORY, judgements);
  if (figure === null) return keep(`Stay with ${judging.baseline}: no memory could be compared.`);
  const speed = firstOf(SPEED, judgements);
  const rule =
    `least ${FIGURES[figure].title} among those not slower by more than ${SLOWER * 100} %` +
    (speed === null ? "" : ` in ${FIGURES[speed].title}`);
  const slower = new Set(
    judgements.filter((each) => each.figure === speed && isSlower(each, judging))
      .map(({ variant }) => variant),
  );
  const best = judgements
    .filter((each) => each.figure === figure && each.verdict === "better")
    .filter(({ variant }) => !slower.has(variant))
    .sort((a, b) => a.ratio.median - b.ratio.median)[0];
  if (best === undefined) {
    return keep(`Stay with ${judging.baseline}: none has less, for certain (the rule: ${rule}).`);
  }
  const words = variants.find(({ name }) => name === best.variant)?.words ?? [];
  return {
    variant: best.variant,
    command: [...words, ...command],
    reason: `Take ${best.variant}: ${rule}.`,
  };
}
