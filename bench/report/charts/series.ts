/**
 * Resident memory over time: a line a subject, on the phases of the work.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import type { MemorySeries } from "../../suite/format.ts";
import type { Document, Element } from "../dom.ts";
import type { SeriesRow } from "../figures.ts";
import { INK, lookOf } from "../palette.ts";
import { draw, type Form, textWidth } from "./plot.ts";
import { axisTitle } from "./ratios.ts";

const MIB = 2 ** 20;
const HEIGHTS: Readonly<Record<Form["name"], number>> = { wide: 330, narrow: 270 };
const MARGINS = { marginLeft: 44, marginRight: 12, marginTop: 30, marginBottom: 52 } as const;
/** More points than pixels show nothing more. */
const POINTS: Readonly<Record<Form["name"], number>> = { wide: 400, narrow: 200 };
const AIR = 1.06;

interface Point {
  readonly seconds: number;
  readonly resident: number;
}

/** At most so many samples, the greatest of each stretch, so that no peak is lost. */
export function thin({ time, resident }: MemorySeries, limit: number): Point[] {
  const stretch = Math.max(1, Math.ceil(time.length / limit));
  const points: Point[] = [];
  for (let from = 0; from < time.length; from += stretch) {
    let at = from;
    for (let i = from; i < Math.min(from + stretch, time.length); i++) {
      if ((resident[i] ?? 0) > (resident[at] ?? 0)) at = i;
    }
    points.push({ seconds: (time[at] ?? 0) / 1000, resident: (resident[at] ?? 0) / MIB });
  }
  return points;
}

interface Phase {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly odd: boolean;
}

function phasesOf({ phases, time }: MemorySeries): Phase[] {
  const end = time.at(-1) ?? 0;
  return phases.map(({ name, start }, i) => ({
    name,
    from: start / 1000,
    to: (phases[i + 1]?.start ?? end) / 1000,
    odd: i % 2 === 1,
  }));
}

/** Draws the series of one case; the phases are the first row's. */
export function seriesChart(
  document: Document,
  form: Form,
  label: string,
  axis: string,
  all: readonly SeriesRow[],
): Element {
  const [first] = all;
  const phases = first === undefined ? [] : phasesOf(first.series);
  const end = Math.max(...all.map(({ series }) => (series.time.at(-1) ?? 0) / 1000));
  const lines = all.map(({ subject, series }) => ({
    subject,
    points: thin(series, POINTS[form.name]),
  }));
  const most = Math.max(...lines.flatMap(({ points }) => points.map(({ resident }) => resident)));
  const width = form.width - MARGINS.marginLeft - MARGINS.marginRight;
  const named = phases.filter(({ name, from, to }) =>
    textWidth(name, form) < (to - from) / end * width
  );
  return draw(document, form, label, {
    height: HEIGHTS[form.name],
    ...MARGINS,
    x: { domain: [0, end], label: null },
    y: { domain: [0, most * AIR], label: null, grid: true },
    marks: [
      Plot.rect(phases.filter(({ odd }) => odd), {
        x1: "from",
        x2: "to",
        fill: "var(--shade)",
      }),
      Plot.text(named, {
        x: ({ from, to }: Phase) => (from + to) / 2,
        text: "name",
        frameAnchor: "top",
        dy: -14,
        fill: INK.faint,
      }),
      Plot.gridY({ stroke: INK.line }),
      Plot.axisX({ label: null, color: INK.text, ticks: form.name === "wide" ? 10 : 5 }),
      Plot.axisY({ label: null, color: INK.text, ticks: 6 }),
      ...lines.map(({ subject, points }) =>
        Plot.line(points, {
          x: "seconds",
          y: "resident",
          stroke: lookOf(subject).colour,
          strokeDasharray: lookOf(subject).dash,
          strokeWidth: 1.75,
        })
      ),
      axisTitle(axis, form, MARGINS),
    ],
  });
}
