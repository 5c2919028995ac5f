/**
 * What a comparison measures, and what comes of it.
 *
 * @module
 */

/** A figure of a run, and how it is judged. */
export interface FigureInfo {
  /** Its name in reports for people. */
  readonly title: string;
  readonly unit: "seconds" | "count" | "bytes" | "own";
  /** Which of two is the better. */
  readonly better: "lower" | "higher";
}

/** All figures that runs can have, in the order of reports. */
export const FIGURES = {
  wallSeconds: { title: "time", unit: "seconds", better: "lower" },
  userSeconds: { title: "user time", unit: "seconds", better: "lower" },
  systemSeconds: { title: "system time", unit: "seconds", better: "lower" },
  pageFaults: { title: "page faults", unit: "count", better: "lower" },
  peakBytes: { title: "peak memory", unit: "bytes", better: "lower" },
  endBytes: { title: "memory at the end", unit: "bytes", better: "lower" },
  idleBytes: { title: "idle memory", unit: "bytes", better: "lower" },
  metric: { title: "own figure", unit: "own", better: "lower" },
  requestsPerSecond: { title: "requests/s", unit: "count", better: "higher" },
  latencyP50Seconds: { title: "latency p50", unit: "seconds", better: "lower" },
  latencyP99Seconds: { title: "latency p99", unit: "seconds", better: "lower" },
} as const satisfies Readonly<Record<string, FigureInfo>>;

/** The name of a figure. */
export type FigureName = keyof typeof FIGURES;

/** The names of all figures. */
export const FIGURE_NAMES = Object.keys(FIGURES) as readonly FigureName[];

/** What a run measured; a figure that it does not have is absent. */
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

/** One counted run of a variant. */
export interface Run {
  /** The variant's name. */
  readonly variant: string;
  /** The round, from 1 on. */
  readonly round: number;
  readonly figures: Figures;
  /** The program's exit status; `null` when a signal ended it. */
  readonly status: number | null;
  /** The signal that ended the program; `null` without. */
  readonly signal: string | null;
}

/** The resident memory of a run's processes over its time. */
export interface MemoryCurve {
  readonly variant: string;
  /** Seconds since the start, and bytes, of each sample. */
  readonly samples: readonly (readonly [seconds: number, bytes: number])[];
}

/** A ratio to the baseline of the same round, over all rounds. */
export interface Ratio {
  /** The Hodges-Lehmann estimate, the median of the pairs' means of the logarithms. */
  readonly median: number;
  /** The ends of its 95 % interval; `null` with fewer than six rounds, which have none. */
  readonly low: number | null;
  readonly high: number | null;
  /** How many rounds it is of. */
  readonly rounds: number;
}

/** What can be said of a variant's figure against the baseline's. */
export type Verdict = "better" | "worse" | "same" | "cannot tell";

/** A variant's figure against the baseline's. */
export interface Judgement {
  readonly variant: string;
  readonly figure: FigureName;
  /** The median of the variant's own runs, in the figure's unit. */
  readonly value: number;
  readonly ratio: Ratio;
  readonly verdict: Verdict;
  /** About how many rounds would be needed, where the verdict is `cannot tell`; else `null`. */
  readonly roundsNeeded: number | null;
}

/** The baseline against itself: what this machine's noise does to a ratio. */
export interface Noise {
  readonly figure: FigureName;
  readonly ratio: Ratio;
}

/** What makes runs of two starts comparable. */
export interface ComparisonKey {
  readonly command: readonly string[];
  /** The variants' names, and the words in front of the command; the baseline is the first. */
  readonly variants: readonly { readonly name: string; readonly words: readonly string[] }[];
  /** How a server is known to be ready, and what is done to it; all options as they were given. */
  readonly program: Readonly<Record<string, unknown>>;
  readonly seed: number;
}
