/**
 * A comparison as one page: no script, nothing from elsewhere.
 *
 * @module
 */
import { formatSeconds } from "../../units.ts";
import { quoteWords } from "../doctor/advice.ts";
import { ratioAxis } from "./axis.ts";
import { type ChartRow, lineColour, ratioMarks, rowChart, timeChart } from "./charts.ts";
import type { Comparison } from "./comparison.ts";
import { element, escaped } from "../html.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { type FigureName, FIGURES, type Judgement } from "./types.ts";
import {
  baselineValue,
  comparedVariants,
  figuresOf,
  formatFigure,
  formatInterval,
  formatOutcome,
  remarks,
} from "./words.ts";

function wordsOf(judgement: Judgement): string {
  const { ratio, value, figure } = judgement;
  return `${ratio.median.toFixed(2)} (${formatInterval(ratio)}) ${formatOutcome(judgement)}; ` +
    formatFigure(figure, value);
}

function figureSection(comparison: Comparison, figure: FigureName): string {
  const { outcome, judging: { baseline, band } } = comparison;
  const own = outcome.judgements.filter((each) => each.figure === figure);
  const noise = outcome.noise.filter((each) => each.figure === figure);
  const axis = ratioAxis([...own, ...noise].map(({ ratio }) => ratio));
  const rows: ChartRow[] = [
    ...noise.map(({ ratio }) => ({
      name: `${baseline}, against itself`,
      kind: "noise",
      marks: ratioMarks(axis, ratio, band),
      words: `noise ${formatInterval(ratio)}; ${baselineValue(comparison, figure)}`,
    })),
    ...own.map((each) => ({
      name: each.variant,
      kind: each.verdict.replace(" ", "-"),
      marks: ratioMarks(axis, each.ratio, band),
      words: wordsOf(each),
    })),
  ];
  const { title } = FIGURES[figure];
  const label = `${title}: ratios to ${baseline} of the same round, with their intervals`;
  const chart = rowChart({ label, kind: "ratios", axis, tickText: String, rows });
  return element("section", {}, element("h2", {}, title), chart);
}

const MIB = 2 ** 20;

/** Memory over time, of the uncounted run of each variant. */
function curveSection({ curves }: Comparison): string {
  const shown = curves.filter(({ samples }) => samples.length > 1);
  if (shown.length === 0) return "";
  const title = "resident memory over time, one run each";
  const chart = timeChart({
    label: title,
    lines: shown.map(({ variant, samples }, index) => ({
      title: variant,
      colour: lineColour(index),
      points: samples,
    })),
    secondsText: (seconds) => seconds === 0 ? "0 s" : formatSeconds(seconds),
    valueText: (value) => formatFigure("peakBytes", value),
    unit: MIB,
  });
  return element("section", {}, element("h2", {}, title), chart);
}

/** The page. */
export function comparisonPage(comparison: Comparison): string {
  const { command, machine, started, recommendation, rounds } = comparison;
  const title = `${comparedVariants(comparison).length + 1} variants of ${quoteWords(command)}`;
  const [reason = "", ...others] = [
    recommendation.reason,
    ...remarks(comparison).filter((text) => text !== recommendation.reason),
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${PAGE_STYLE}</style>
<h1>${escaped(title)}</h1>
<p>${rounds} rounds on ${escaped(machine.processor)}, ${machine.cores} cores, Linux ${
    escaped(machine.kernel)
  }, load ${machine.loadAverage.toFixed(1)} at the start; ${
    started.slice(0, 16).replace("T", " ")
  } UTC</p>
<p class="advice">${escaped(reason)}</p>
${others.map((text) => `<p>${escaped(text)}</p>`).join("\n")}
${figuresOf(comparison).map((figure) => figureSection(comparison, figure)).join("\n")}
${curveSection(comparison)}
</html>
`;
}
