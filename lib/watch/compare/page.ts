/**
 * A comparison as one page: no script, nothing from elsewhere. Intervals are drawn by CSS and curves
 * as SVG, so that both fit any width.
 *
 * @module
 */
import type { Comparison } from "./comparison.ts";
import { PAGE_STYLE } from "./page-style.ts";
import { type FigureName, FIGURES, type Judgement, type Ratio } from "./types.ts";
import {
  baselineValue,
  comparedVariants,
  figuresOf,
  formatFigure,
  formatInterval,
  formatOutcome,
  remarks,
} from "./words.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? character);
}

/** The ends of an axis of ratios, which is logarithmic: half is as far from 1 as double. */
interface Axis {
  readonly low: number;
  readonly high: number;
}

/** An axis shows this much on both sides of 1, at least. */
const MIN_REACH = 1.1;

function axisOf(ratios: readonly Ratio[]): Axis {
  const ends = ratios.flatMap(({ low, high, median }) => [low ?? median, high ?? median]);
  const reach = Math.max(MIN_REACH, ...ends.map((end) => end < 1 ? 1 / end : end)) ** 1.05;
  return { low: 1 / reach, high: reach };
}

function place({ low, high }: Axis, ratio: number): string {
  return (100 * Math.log(ratio / low) / Math.log(high / low)).toFixed(2);
}

function span(axis: Axis, kind: string, from: number, to: number): string {
  const [left, right] = [Number(place(axis, from)), Number(place(axis, to))];
  return `<i class="${kind}" style="left:${left}%;width:${(right - left).toFixed(2)}%"></i>`;
}

function track(axis: Axis, { median, low, high }: Ratio, band: number): string {
  const interval = low === null || high === null ? "" : span(axis, "interval", low, high);
  return `<div class="track">${span(axis, "band", 1 - band, 1 + band)}${interval}` +
    `<i class="dot" style="left:${place(axis, median)}%"></i></div>`;
}

function row(name: string, kind: string, bar: string, words: string): string {
  return `<div class="row ${kind}"><span class="name">${escaped(name)}</span>${bar}` +
    `<span class="words">${escaped(words)}</span></div>`;
}

function wordsOf(judgement: Judgement): string {
  const { ratio, value, figure } = judgement;
  return `${ratio.median.toFixed(2)} (${formatInterval(ratio)}) ${formatOutcome(judgement)}; ` +
    formatFigure(figure, value);
}

function figureSection(comparison: Comparison, figure: FigureName): string {
  const { outcome, judging: { baseline, band } } = comparison;
  const own = outcome.judgements.filter((each) => each.figure === figure);
  const noise = outcome.noise.find((each) => each.figure === figure);
  const axis = axisOf([...own.map(({ ratio }) => ratio), ...(noise ? [noise.ratio] : [])]);
  const rows = own.map((each) =>
    row(each.variant, each.verdict.replace(" ", "-"), track(axis, each.ratio, band), wordsOf(each))
  );
  const itself = noise === undefined ? "" : row(
    `${baseline}, against itself`,
    "noise",
    track(axis, noise.ratio, band),
    `noise ${formatInterval(noise.ratio)}; ${baselineValue(comparison, figure)}`,
  );
  const scale = `<div class="row scale"><span></span><div class="track"><b style="left:0">` +
    `${axis.low.toFixed(2)}</b><b class="middle">1</b><b style="right:0">${
      axis.high.toFixed(2)
    }</b>` +
    `</div><span></span></div>`;
  return `<section><h2>${FIGURES[figure].title}</h2>${itself}${rows.join("")}${scale}</section>`;
}

const CURVE = { width: 1000, height: 300 } as const;
/** More points than this are not to be seen. */
const MAX_POINTS = 500;

/** Memory over time, of the uncounted run of each variant. */
function curveSection({ curves }: Comparison): string {
  const shown = curves.filter(({ samples }) => samples.length > 1);
  if (shown.length === 0) return "";
  const all = shown.flatMap(({ samples }) => samples);
  const seconds = Math.max(...all.map(([at]) => at));
  const bytes = Math.max(...all.map(([, size]) => size));
  const lines = shown.map(({ variant, samples }, index) => {
    const step = Math.ceil(samples.length / MAX_POINTS);
    const points = samples.filter((_, at) => at % step === 0 || at === samples.length - 1)
      .map(([at, size]) =>
        `${(at / seconds * CURVE.width).toFixed(1)},${
          ((1 - size / bytes) * CURVE.height).toFixed(1)
        }`
      );
    return `<polyline class="c${index % CURVE_COLOURS}" points="${points.join(" ")}">` +
      `<title>${escaped(variant)}</title></polyline>`;
  });
  const legend = shown.map(({ variant }, index) =>
    `<li><i class="c${index % CURVE_COLOURS}"></i>${escaped(variant)}</li>`
  );
  return `<section><h2>resident memory over time, one run each</h2><ul class="legend">${
    legend.join("")
  }</ul><div class="curve"><b class="top">${formatFigure("peakBytes", bytes)}</b>` +
    `<svg viewBox="0 0 ${CURVE.width} ${CURVE.height}" preserveAspectRatio="none" role="img" ` +
    `aria-label="resident memory over time">${lines.join("")}</svg>` +
    `<p class="ends"><span>0 s</span><span>${formatFigure("wallSeconds", seconds)}</span></p>` +
    `</div></section>`;
}

/** How many colours the style has for curves. */
const CURVE_COLOURS = 8;

/** The page. */
export function comparisonPage(comparison: Comparison): string {
  const { command, machine, started, recommendation, rounds } = comparison;
  const title = `${comparedVariants(comparison).length + 1} variants of ${command.join(" ")}`;
  const [reason = "", ...others] = [
    recommendation.reason,
    ...remarks(comparison).filter((text) => text !== recommendation.reason),
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
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
