/**
 * What each profile is held to against the system's allocator, and whether results show it.
 *
 * @module
 */
import { BUILT_ALLOCATORS } from "../../lib/allocators/mod.ts";
import { PROFILE_NAMES, type ProfileName } from "../../lib/allocators/profiles.ts";
import { type RatioRow, ratioRows } from "../report/figures.ts";
import type { Results } from "../suite/results.ts";

/** How a bound came out. `noise`: the median is beyond it, and the interval reaches over it. */
export type Outcome = "holds" | "noise" | "broken" | "not measured";

/** One bound. */
export interface Bound {
  readonly profile: ProfileName;
  /** The bound in words. */
  readonly text: string;
  /** What the ratios are of, against the system's allocator. */
  readonly metric: string;
  /** The one case that it is about; all of them without it. */
  readonly case?: string;
  /** The side on which every ratio must be, or one at least. */
  readonly side: "at least" | "at most";
  readonly limit: number;
  readonly of: "every case" | "some case";
}

/** A document burst in Node: what the bounds of memory are about. */
export const BURST = "documents-node26";
/** The case that allocates nothing: its ratios are noise. */
export const CONTROL = "native-none";

/** The bounds. */
export const BOUNDS: readonly Bound[] = [
  {
    profile: "low-memory",
    text: "idles at 60 % of glibc's resident memory or less after the document burst in Node",
    metric: "idleResident",
    case: BURST,
    side: "at most",
    limit: 0.6,
    of: "every case",
  },
  {
    profile: "low-memory",
    text: "costs 5 % of throughput at most in that burst",
    metric: "throughput",
    case: BURST,
    side: "at least",
    limit: 0.95,
    of: "every case",
  },
  {
    profile: "throughput",
    text: "loses 3 % to glibc at most in every workload",
    metric: "throughput",
    side: "at least",
    limit: 0.97,
    of: "every case",
  },
  {
    profile: "throughput",
    text: "wins 20 % or more in some workload",
    metric: "throughput",
    side: "at least",
    limit: 1.2,
    of: "some case",
  },
  {
    profile: "balanced",
    text: "is 5 % slower than glibc at most in every workload",
    metric: "throughput",
    side: "at least",
    limit: 0.95,
    of: "every case",
  },
  {
    profile: "balanced",
    text: "has a peak 5 % above glibc's at most in every workload",
    metric: "peakResident",
    side: "at most",
    limit: 1.05,
    of: "every case",
  },
];

/** A bound for one allocator, and the ratio that decides it. */
export interface Judged {
  readonly bound: Bound;
  readonly allocator: string;
  readonly outcome: Outcome;
  /** The ratio farthest beyond the limit, or nearest to it; of `some case`, the best. */
  readonly deciding: RatioRow | null;
  /** Every ratio beyond the limit, the worst first. */
  readonly beyond: readonly RatioRow[];
}

/** How far a ratio is within a bound; negative is beyond. */
function margin({ side, limit }: Bound, ratio: number): number {
  return side === "at least" ? ratio - limit : limit - ratio;
}

/** Whether a row's interval reaches the allowed side. */
function reaches(bound: Bound, { ratio }: RatioRow): boolean {
  const end = bound.side === "at least" ? ratio.high : ratio.low;
  return end !== null && margin(bound, end) >= 0;
}

/** Judges one bound for an allocator. */
export function judge(results: Results, bound: Bound, allocator: string): Judged {
  const subject = `${allocator}-${bound.profile}`;
  const rows = ratioRows(results, bound.metric)
    .filter((row) => row.subject === subject && row.case !== CONTROL)
    .filter((row) => bound.case === undefined || row.case === bound.case)
    .sort((a, b) => margin(bound, a.ratio.median) - margin(bound, b.ratio.median));
  const beyond = rows.filter((row) => margin(bound, row.ratio.median) < 0);
  const worst = rows.at(0) ?? null;
  const best = rows.at(-1) ?? null;
  if (worst === null) {
    return { bound, allocator, outcome: "not measured", deciding: null, beyond };
  }
  if (bound.of === "some case") {
    const holds = best !== null && margin(bound, best.ratio.median) >= 0;
    return { bound, allocator, outcome: holds ? "holds" : "broken", deciding: best, beyond: [] };
  }
  const outcome = beyond.length === 0
    ? "holds"
    : beyond.every((row) => reaches(bound, row))
    ? "noise"
    : "broken";
  return { bound, allocator, outcome, deciding: worst, beyond };
}

/** The ids of subjects that are an allocator with a profile. */
export const PROFILE_SUBJECT: RegExp = new RegExp(
  `^(${BUILT_ALLOCATORS.join("|")})-(${PROFILE_NAMES.join("|")})$`,
);

/** Every bound for each allocator. */
export function judgeAll(results: Results): Judged[] {
  return BOUNDS.flatMap((bound) => BUILT_ALLOCATORS.map((name) => judge(results, bound, name)));
}
