/**
 * A comparison as text: a table of ratios, and sentences.
 *
 * @module
 */
import process from "node:process";
import type { Comparison } from "../watch/compare/comparison.ts";
import { FIGURES, type Judgement } from "../watch/compare/types.ts";
import {
  baselineValue,
  comparedVariants,
  figuresOf,
  formatInterval,
  formatOutcome,
  remarks,
} from "../watch/compare/words.ts";
import { quoteWords } from "../watch/doctor/advice.ts";
import { formatTable, paint, type Tone } from "./output.ts";

const VERDICT_TONES: Readonly<Record<Judgement["verdict"], Tone>> = {
  better: "good",
  worse: "bad",
  same: "quiet",
  "cannot tell": "doubtful",
};

/** The widths of a table's columns here, and a terminal's when it does not report its own. */
const WIDTHS = { first: 40, column: 25, terminal: 100 } as const;

function cellOf(judgement: Judgement | undefined): string {
  if (judgement === undefined) return "";
  const { ratio, verdict } = judgement;
  const outcome = paint(VERDICT_TONES[verdict], formatOutcome(judgement));
  return `${ratio.median.toFixed(2)} ${outcome}\n${formatInterval(ratio)}`;
}

function tables(comparison: Comparison): string[] {
  const { outcome, judging: { baseline } } = comparison;
  const all = comparedVariants(comparison);
  const room = (process.stdout.columns || WIDTHS.terminal) - WIDTHS.first;
  const size = process.stdout.isTTY ? Math.max(1, Math.floor(room / WIDTHS.column)) : all.length;
  const parts = Array.from(
    { length: Math.ceil(all.length / size) },
    (_, index) => all.slice(index * size, (index + 1) * size),
  );
  return parts.map((variants) =>
    formatTable(
      ["", baseline, ...variants],
      figuresOf(comparison).map((figure) => {
        const noise = outcome.noise.find((each) => each.figure === figure);
        const itself = noise === undefined ? "" : `\n${formatInterval(noise.ratio)}`;
        return [
          FIGURES[figure].title,
          `${baselineValue(comparison, figure)}${itself}`,
          ...variants.map((variant) =>
            cellOf(
              outcome.judgements.find((each) => each.variant === variant && each.figure === figure),
            )
          ),
        ];
      }),
    )
  );
}

/** A comparison for people. */
export function formatComparison(comparison: Comparison): string[] {
  return [quoteWords(comparison.command), ...tables(comparison), ...remarks(comparison)];
}

/** Two comparisons, of two machines or two days. */
export function formatSideBySide(one: Comparison, other: Comparison): string[] {
  const titles = [one, other].map(({ machine, started }) =>
    `${machine.processor}, ${machine.cores} cores, ${started.slice(0, 16)}`
  );
  const rows = one.outcome.judgements.map((judgement) => {
    const { variant, figure } = judgement;
    const there = other.outcome.judgements.find((each) =>
      each.variant === variant && each.figure === figure
    );
    return [`${variant}: ${FIGURES[figure].title}`, cellOf(judgement), cellOf(there)];
  });
  const differ = quoteWords(one.command) === quoteWords(other.command) ? [] : [
    `Two commands: ${quoteWords(one.command)}; ${quoteWords(other.command)}`,
  ];
  return [...differ, formatTable(["", ...titles], rows)];
}
