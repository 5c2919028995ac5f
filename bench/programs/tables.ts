/**
 * What came of real programs, as Markdown.
 *
 * @module
 */
import type { Comparison } from "../../lib/watch/compare/comparison.ts";
import { type FigureName, FIGURES, type Judgement } from "../../lib/watch/compare/types.ts";
import { formatFigure, formatInterval } from "../../lib/watch/compare/words.ts";
import { layoutTable } from "../../tools/markdown-table.ts";

/** What is kept of a comparison. */
export type ProgramResult =
  & Pick<Comparison, "started" | "machine" | "rounds" | "outcome" | "leftOut" | "statuses">
  & { readonly id: string; readonly title: string };

/** What is shown of the figures that were measured: how fast, how much memory. */
const SHOWN: readonly FigureName[] = [
  "metric",
  "wallSeconds",
  "latencyP50Seconds",
  "latencyP99Seconds",
  "userSeconds",
  "pageFaults",
  "peakBytes",
  "endBytes",
  "idleBytes",
];

function cellOf({ ratio, verdict }: Judgement): string {
  const interval = verdict === "cannot tell" ? formatInterval(ratio) : verdict;
  return `${ratio.median.toFixed(2)} (${interval})`;
}

function tableOf({ outcome: { judgements, noise } }: ProgramResult): string {
  const variants = [...new Set(judgements.map(({ variant }) => variant))];
  const figures = SHOWN.filter((figure) => judgements.some((each) => each.figure === figure));
  const rows = figures.map((figure) => {
    const of = (variant: string): Judgement | undefined =>
      judgements.find((each) => each.figure === figure && each.variant === variant);
    const itself = noise.find((each) => each.figure === figure);
    return [
      FIGURES[figure].title,
      itself === undefined ? "" : formatInterval(itself.ratio),
      ...variants.map((variant) => {
        const judgement = of(variant);
        return judgement === undefined
          ? ""
          : `${cellOf(judgement)}, ${formatFigure(figure, judgement.value)}`;
      }),
    ];
  });
  return layoutTable(["figure", "system against itself", ...variants], rows, 1);
}

/** What a reader should know of figures that were taken beside other work. */
const BUSY =
  "The machine was busy with other programs, which the intervals of the same program against " +
  "itself show: memory can be judged so, most times cannot.";

/** All tables. */
export function programsText(results: readonly ProgramResult[]): string {
  const [first] = results;
  if (first === undefined) return "Not measured.";
  const { processor, cores, kernel } = first.machine;
  const where = `On ${processor}, ${cores} cores, Linux ${kernel}, ${first.started.slice(0, 10)}.`;
  const isBusy = results.some(({ machine }) => machine.loadAverage > machine.cores);
  return [
    where,
    ...(isBusy ? [BUSY] : []),
    ...results.flatMap((result) => [
      `${result.title}: ${result.rounds} rounds, load ${
        result.machine.loadAverage.toFixed(1)
      } at the start.`,
      tableOf(result),
    ]),
  ].join("\n\n");
}
