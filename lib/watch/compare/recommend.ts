/**
 * Which variant to take, by a rule that is printed with it.
 *
 * @module
 */
import { isInNoise, type JudgeOptions, type Outcome } from "./judge.ts";
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

/** The variants that a figure shows to be slower than is allowed, beyond this machine's noise. */
function slowerVariants(
  { judgements, noise }: Outcome,
  speed: FigureName | null,
  { metricHigher }: JudgeOptions,
): Set<string> {
  const itself = noise.find(({ figure }) => figure === speed)?.ratio ?? null;
  const isSlower = ({ ratio, figure }: Judgement): boolean => {
    const slowness = figure === "metric" && metricHigher ? 1 / ratio.median : ratio.median;
    return slowness > 1 + SLOWER && !(itself !== null && isInNoise(ratio, itself));
  };
  const found = judgements.filter((each) => each.figure === speed && isSlower(each));
  return new Set(found.map(({ variant }) => variant));
}

/** Applies the rule: the least memory among those that are not slower. */
export function recommend(
  outcome: Outcome,
  { command, variants }: ComparisonKey,
  judging: JudgeOptions,
): Recommendation {
  const { judgements } = outcome;
  const keep = (reason: string): Recommendation => ({
    variant: null,
    command: null,
    reason: `Stay with ${judging.baseline}: ${reason}.`,
  });
  const figure = firstOf(MEMORY, judgements);
  if (figure === null) return keep("no memory could be compared");
  const { title } = FIGURES[figure];
  const speed = firstOf(SPEED, judgements);
  const rule = `least ${title} among those not slower by more than ${SLOWER * 100} %` +
    (speed === null ? "" : ` and the noise in ${FIGURES[speed].title}`);
  const slower = slowerVariants(outcome, speed, judging);
  const less = judgements
    .filter((each) => each.figure === figure && each.verdict === "better")
    .sort((a, b) => a.ratio.median - b.ratio.median);
  const best = less.find(({ variant }) => !slower.has(variant));
  if (best === undefined) {
    const names = less.map(({ variant }) => variant).join(", ");
    return keep(
      (less.length === 0 ? "none has less, for certain" : `what has less is slower: ${names}`) +
        ` (the rule: ${rule})`,
    );
  }
  const words = variants.find(({ name }) => name === best.variant)?.words ?? [];
  return {
    variant: best.variant,
    command: [...words, ...command],
    reason: `Take ${best.variant}: ${rule}.`,
  };
}
