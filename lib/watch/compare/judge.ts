/**
 * From runs to what can be said: each variant's figures against the baseline's of the same round.
 *
 * @module
 */
import { medianOf } from "../../median.ts";
import { pairedRatios, type Values } from "./pairs.ts";
import { chanceOfNoDifference, estimateRatio, holm } from "./statistics.ts";
import {
  FIGURE_NAMES,
  type FigureName,
  FIGURES,
  type Judgement,
  type Noise,
  type Ratio,
  type Run,
  type Verdict,
} from "./types.ts";

/** What the second run of the baseline in each round is called. */
export const AGAIN = " again";

/** How runs are judged. */
export interface JudgeOptions {
  /** The variant that all others are compared with. */
  readonly baseline: string;
  /** The part of 1 by which a ratio may differ and still be the same. */
  readonly band: number;
  /** Whether a higher metric is the better. */
  readonly metricHigher: boolean;
}

/** What comes of all runs. */
export interface Outcome {
  readonly judgements: readonly Judgement[];
  readonly noise: readonly Noise[];
}

/** More rounds than anybody would run. */
const TOO_MANY_ROUNDS = 1000;

function valuesOf(runs: readonly Run[], variant: string, figure: FigureName): Values {
  return new Map(runs.flatMap((run) => {
    const value = run.variant === variant ? run.figures[figure] : undefined;
    return value === undefined ? [] : [[run.round, value] as const];
  }));
}

/** The baseline of a round: the geometric mean of its two runs, where there are two. */
function baselineOf(first: Values, second: Values): Values {
  return new Map([...first].map(([round, value]) => {
    const again = second.get(round);
    return [round, again === undefined ? value : Math.sqrt(value * again)];
  }));
}

function isWithin({ low, high }: Ratio, band: number): boolean {
  return low !== null && high !== null && low >= 1 - band && high <= 1 + band;
}

/** Whether a middle is no farther from 1 than this machine brings a program against itself. */
export function isInNoise({ median }: Ratio, noise: Ratio | null): boolean {
  if (noise === null || noise.low === null || noise.high === null) return true;
  const farthest = Math.max(Math.abs(Math.log(noise.low)), Math.abs(Math.log(noise.high)));
  return Math.abs(Math.log(median)) <= farthest;
}

/**
 * The rounds after which the interval would be narrow enough, as it narrows by the square root:
 * to leave out 1 where the middle is outside of the band, else to fit into the band.
 */
function roundsNeeded({ median, low, high, rounds }: Ratio, band: number): number | null {
  if (low === null || high === null) return null;
  const half = (high - low) / 2;
  const distance = Math.abs(median - 1);
  const wanted = distance > band ? distance : band - distance;
  const needed = Math.ceil(rounds * (half / Math.max(wanted, Number.EPSILON)) ** 2);
  return needed > TOO_MANY_ROUNDS ? null : Math.max(needed, rounds + 1);
}

interface Tested {
  readonly variant: string;
  readonly value: number;
  readonly ratio: Ratio;
  readonly chance: number;
}

function judgeFigure(
  runs: readonly Run[],
  variants: readonly string[],
  figure: FigureName,
  { baseline, band, metricHigher }: JudgeOptions,
): { judgements: Judgement[]; noise: Noise | null } {
  const first = valuesOf(runs, baseline, figure);
  const second = valuesOf(runs, baseline + AGAIN, figure);
  const againstItself = pairedRatios(second, first);
  const noise = againstItself.length === 0 ? null : estimateRatio(againstItself);
  const base = baselineOf(first, second);
  const tested = variants.flatMap((variant): Tested[] => {
    const values = valuesOf(runs, variant, figure);
    const ratios = pairedRatios(values, base);
    if (ratios.length === 0) return [];
    const chance = chanceOfNoDifference(ratios);
    return [{
      variant,
      value: medianOf([...values.values()]),
      ratio: estimateRatio(ratios),
      chance,
    }];
  });
  const found = holm(tested.map(({ chance }) => chance));
  const lowerIsBetter = figure === "metric" ? !metricHigher : FIGURES[figure].better === "lower";
  const judgements = tested.map(({ variant, value, ratio }, index): Judgement => {
    const isOutside = Math.abs(ratio.median - 1) > band;
    let verdict: Verdict = "cannot tell";
    if (isWithin(ratio, band)) verdict = "same";
    else if (found[index] === true && isOutside && !isInNoise(ratio, noise)) {
      verdict = ratio.median < 1 === lowerIsBetter ? "better" : "worse";
    }
    const needed = verdict === "cannot tell" ? roundsNeeded(ratio, band) : null;
    return { variant, figure, value, ratio, verdict, roundsNeeded: needed };
  });
  return { judgements, noise: noise === null ? null : { figure, ratio: noise } };
}

/**
 * Judges all figures of all variants against the baseline, which ran twice in each round: the ratios
 * of those two are the noise. A difference is called one when the test finds it (Holm over the
 * variants), its middle is outside of the band, and farther from 1 than the noise's interval goes.
 */
export function judge(
  runs: readonly Run[],
  variants: readonly string[],
  options: JudgeOptions,
): Outcome {
  const others = variants.filter((variant) => variant !== options.baseline);
  const all = FIGURE_NAMES.map((figure) => judgeFigure(runs, others, figure, options));
  return {
    judgements: all.flatMap(({ judgements }) => judgements),
    noise: all.flatMap(({ noise }) => noise === null ? [] : [noise]),
  };
}

/** How far from the middle the widest interval of some figures goes, as a part of 1. */
export function widestInterval(
  { judgements }: Outcome,
  figures: readonly FigureName[],
): number {
  const widths = judgements.filter(({ figure }) => figures.includes(figure))
    .map(({ ratio: { low, high, median } }) =>
      low === null || high === null ? Infinity : Math.max(high - median, median - low) / median
    );
  return Math.max(0, ...widths);
}
