/**
 * What a series of samples comes to.
 *
 * @module
 */
import { median } from "simple-statistics";
import type { MemorySeries, Metric } from "../../suite/format.ts";
import { PLATEAU } from "./phases.ts";

/** What a phase's name begins with. */
export const BURST = "burst";
/** The prefix of the name of a phase after a burst. */
export const IDLE = "idle";

/** The resident memory that was sampled from one time to another, in milliseconds. */
function residentWithin({ time, resident }: MemorySeries, from: number, to: number): number[] {
  return resident.filter((_, index) => {
    const at = time[index] ?? NaN;
    return at >= from && at <= to;
  });
}

/** A phase's first and last millisecond. */
interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

function spansOf({ phases, time }: MemorySeries): Span[] {
  return phases.map(({ name, start }, index) => ({
    name,
    start,
    end: phases[index + 1]?.start ?? time.at(-1) ?? start,
  }));
}

function some(values: readonly number[], name: string): readonly number[] {
  if (values.length === 0) throw new RangeError(`Cannot judge "${name}": it has no sample`);
  return values;
}

function peakOf(series: MemorySeries, { name, start, end }: Span): number {
  return Math.max(...some(residentWithin(series, start, end), name));
}

function plateauOf(series: MemorySeries, { name, start, end }: Span): number {
  return median([...some(residentWithin(series, Math.max(start, end - PLATEAU), end), name)]);
}

/** The peak, the plateaus, and what was given back. */
export function figuresOf(series: MemorySeries): Record<string, Metric> {
  const spans = spansOf(series);
  const peaks = spans.filter(({ name }) => name.startsWith(BURST)).map((span) =>
    peakOf(series, span)
  );
  const plateaus = spans.filter(({ name }) => name.startsWith(IDLE)).map((span) =>
    plateauOf(series, span)
  );
  const [peak, plateau] = [peaks.at(-1), plateaus.at(-1)];
  if (peak === undefined || plateau === undefined) {
    throw new RangeError("Cannot judge the series: it has no burst, or no idle phase");
  }
  const numbered = plateaus.map((value, index): [string, Metric] => [
    `plateau${index + 1}`,
    { value, unit: "B", better: "lower" },
  ]);
  return {
    peak: { value: Math.max(...peaks), unit: "B", better: "lower" },
    plateau: { value: plateau, unit: "B", better: "lower" },
    ...Object.fromEntries(numbered),
    // Of the last burst, as the plateau is the one after it.
    givenBack: { value: peak - plateau, unit: "B", better: "higher" },
    givenBackShare: { value: (peak - plateau) / peak, unit: "1", better: "higher" },
  };
}
