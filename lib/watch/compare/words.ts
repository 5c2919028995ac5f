/**
 * A comparison in words and figures, for all forms of reports.
 *
 * @module
 */
import { medianOf } from "../../median.ts";
import { formatBytes, formatSeconds } from "../../units.ts";
import { quoteWords } from "../doctor/advice.ts";
import { baselineFailures } from "./compare.ts";
import type { Comparison } from "./comparison.ts";
import { roundsToFind } from "./statistics.ts";
import {
  FIGURE_NAMES,
  type FigureInfo,
  type FigureName,
  FIGURES,
  type Judgement,
  type Ratio,
} from "./types.ts";

/** The load average for each core from which on others are in the way. */
const BUSY = 0.5;

const FORMATS: Readonly<Record<FigureInfo["unit"], (value: number) => string>> = {
  seconds: formatSeconds,
  count: (value) => String(Number(value.toPrecision(4))),
  bytes: formatBytes,
  own: (value) => String(Number(value.toPrecision(4))),
};

/** A figure with its unit. */
export function formatFigure(figure: FigureName, value: number): string {
  return FORMATS[FIGURES[figure].unit](value);
}

/** A ratio's interval, or why it has none. */
export function formatInterval({ low, high }: Ratio): string {
  return low === null || high === null
    ? "too few rounds"
    : `${low.toFixed(2)} to ${high.toFixed(2)}`;
}

/** A verdict, with the rounds that would be needed for one. */
export function formatOutcome({ verdict, roundsNeeded, ratio }: Judgement): string {
  if (verdict !== "cannot tell" || ratio.low === null) return verdict;
  return `${verdict} (${roundsNeeded === null ? "over 1000" : `about ${roundsNeeded}`} rounds)`;
}

/** The figures that were measured, in order. */
export function figuresOf({ runs }: Comparison): FigureName[] {
  return FIGURE_NAMES.filter((name) => runs.some(({ figures }) => figures[name] !== undefined));
}

/** The baseline's median of a figure, in its unit. */
export function baselineValue({ runs, judging }: Comparison, figure: FigureName): string {
  const values = runs.flatMap(({ variant, figures }) => {
    const value = variant === judging.baseline ? figures[figure] : undefined;
    return value === undefined ? [] : [value];
  });
  return values.length === 0 ? "" : formatFigure(figure, medianOf(values));
}

/** The variants that are compared with the baseline and have figures, in their order. */
export function comparedVariants({ outcome, variants }: Comparison): string[] {
  const judged = new Set(outcome.judgements.map(({ variant }) => variant));
  return variants.map(({ name }) => name).filter((name) => judged.has(name));
}

/** What there is to say beside the table. */
export function remarks(comparison: Comparison): string[] {
  const { runs, rounds, judging, interrupted, leftOut, notes, statuses, recommendation, machine } =
    comparison;
  const { cores, loadAverage } = machine;
  const compared = comparedVariants(comparison).length;
  const wanted = roundsToFind(compared);
  return [
    ...baselineFailures(runs, judging.baseline).map((text) =>
      `THE PROGRAM FAILS: ${judging.baseline} ended with ${text}; see what it prints without offheap`
    ),
    ...statuses.map((text) => `THE PROGRAMS DID NOT END ALIKE: ${text}`),
    ...leftOut.map(({ variant, reason }) => `left out: ${variant}: ${reason}`),
    ...notes.map((note) => `note: ${note}`),
    ...(runs.some(({ figures }) => figures.peakBytes === undefined)
      ? [
        "note: runs that end within some 40 ms are too short to see their memory: give it more to do",
      ]
      : []),
    ...(loadAverage > BUSY * cores
      ? [
        `note: the machine was busy at the start, with a load of ${loadAverage.toFixed(1)} on ` +
        `${cores} cores: what else runs on it is in the noise`,
      ]
      : []),
    ...(interrupted ? [`interrupted: the figures are of ${rounds} whole rounds`] : []),
    ...(rounds < wanted
      ? [
        `fewer than ${wanted} rounds cannot find a difference of ${compared} variants: give ` +
        "--rounds, or a shorter command",
      ]
      : []),
    recommendation.reason,
    ...(recommendation.command === null ? [] : [`  ${quoteWords(recommendation.command)}`]),
    `Ratios to ${judging.baseline} in the same round: the middle of ${rounds} ` +
    `${
      rounds === 1 ? "round" : "rounds"
    }, and its 95 % interval. Under ${judging.baseline}: its median, and the interval of the same program ` +
    "against itself, which is this machine's noise.",
  ];
}
