/**
 * From what was read of a process's memory to a verdict. Nothing is read here.
 *
 * @module
 */
import { ALLOCATOR_FIGURES } from "../../../allocators/statistics.ts";
import { formatBytes } from "../../../units.ts";
import { type Observation, partsOf } from "./observation.ts";
import { growth } from "./growth.ts";
import { RULES } from "./rules.ts";
import { countFalls, lowPoints, type Point, type Trend, trendOf } from "./trend.ts";
import type { MemoryFacts, MemoryFinding, MemoryReport, MemoryTrends, Patient } from "./types.ts";

/** Below that a process is mostly its runtime, and shares of it mean nothing. */
const LEAST_RESIDENT = 24 * 2 ** 20;

/** A test of figures is never wholly sure. */
const MAX_SURE = 0.99;

/**
 * Judges a process's memory.
 *
 * @throws {RangeError} without any observation.
 */
export function judgeMemory(facts: MemoryFacts): MemoryReport {
  const { observations, purged } = facts;
  const last = purged?.after ?? observations.at(-1);
  if (last === undefined) throw new RangeError("Cannot judge memory: nothing was observed");
  const parts = partsOf(last);
  const resident = last.kernel.rss ?? 0;
  const trends = observations.length > 1 ? trendsOf(observations) : null;
  const about = { ...facts, last, parts, resident, trends };
  const found = RULES.flatMap(({ verdict, weight, find }) => {
    const finding = find(about);
    return finding === null ? [] : [{ weight: weight(about), finding: { verdict, ...finding } }];
  }).sort((a, b) => b.weight - a.weight).map(({ finding }) => finding);
  const [first = quiet({ ...about, grown: growth(about) }), ...also] = found.map((
    { sure, ...finding },
  ) => ({
    ...finding,
    sure: Math.min(sure, MAX_SURE),
  }));
  const purge = purged?.outcome ?? null;
  return { ...first, parts, resident, also, trends, purge, notSeen: notSeen(last, trends) };
}

const GROWTH_WORDS = {
  rising: "grew by next to nothing",
  settled: "has grown, and then stayed",
  level: "did not grow",
} as const;

/** How to learn what the allocator keeps, where it is not said: an agent says all that is counted. */
function haveItSaid({ allocator }: Observation, { command, hasAgent }: Patient): string {
  if (ALLOCATOR_FIGURES.some((name) => allocator.figures[name] !== undefined)) {
    return `\`offheap run -- ${command}\` runs it under an allocator that counts it`;
  }
  return hasAgent
    ? "look again when its agent answers, which would say it"
    : `start it by \`offheap run -- ${command}\`, whose agent says it`;
}

/** What is said where no rule applies. */
function quiet(
  { last, resident, parts, trends, patient, grown }: {
    readonly last: Observation;
    readonly resident: number;
    readonly grown: Trend | null;
    readonly parts: MemoryReport["parts"];
    readonly trends: MemoryTrends | null;
    readonly patient: MemoryFacts["patient"];
  },
): MemoryFinding {
  const watch = patient.pid === null
    ? "watch for longer"
    : `\`offheap doctor ${patient.pid} --watch 60s\``;
  if (resident < LEAST_RESIDENT) {
    return {
      verdict: "too small to tell",
      sure: 1,
      because: `${
        formatBytes(resident)
      } are resident, which is hardly more than a program needs to run`,
      figures: { resident },
      next: "nothing: look again when it has grown",
    };
  }
  const shape = trends?.anonymous.shape ?? "unknown";
  if (parts.heldBack === null) {
    return {
      verdict: "cannot tell",
      sure: 1,
      because: "nobody says how much of its memory the allocator holds back" +
        (shape === "unknown" ? "" : `; resident memory ${GROWTH_WORDS[shape]}`),
      figures: { resident },
      next: patient.pid === null ? "nothing" : haveItSaid(last, patient),
    };
  }
  if (grown !== null) {
    return {
      verdict: "cannot tell",
      sure: 1,
      because:
        `it grew by ${formatBytes(grown.change)} while it was watched: too little to tell a ` +
        "leak from garbage, and from a program that is still starting",
      figures: { resident, growth: grown.change },
      next: watch,
    };
  }
  return shape === "unknown"
    ? {
      verdict: "healthy",
      sure: 0.7,
      because:
        "hardly anything is held back or fragmented. Whether it grows, a single look cannot tell",
      figures: { resident },
      next: `${watch} shows whether it grows`,
    }
    : {
      verdict: "healthy",
      sure: 0.9,
      because: `it ${GROWTH_WORDS[shape]}; hardly anything is held back or fragmented`,
      figures: { resident, growth: trends?.anonymous.change ?? 0 },
      next: "nothing",
    };
}

/** What it is that could not be seen. */
function notSeen(last: Observation, trends: MemoryTrends | null): string[] {
  const { javascript, allocator, runtimeAllocator: runtime } = last;
  const reasons = [
    javascript.total === undefined ? ["the JavaScript heap", javascript.absent.total] : null,
    allocator.figures.allocated === undefined
      ? [`what ${allocator.name} has given out`, allocator.figures.absent.allocated]
      : null,
    allocator.figures.allocated !== undefined && allocator.figures.active === undefined
      ? ["fragmentation apart from what is held back", allocator.figures.absent.active]
      : null,
    runtime !== null && runtime.figures.committed === undefined
      ? [`the runtime's own ${runtime.name}`, runtime.figures.absent.committed]
      : null,
    trends === null ? ["growth", "one look was taken"] : null,
  ];
  return reasons.flatMap((each) => each === null ? [] : [`${each[0]}: ${each[1] ?? "unknown"}`]);
}

function trendsOf(observations: readonly Observation[]): MemoryTrends {
  const points = (read: (one: Observation) => number | undefined): Point[] =>
    observations.flatMap((one) => {
      const value = read(one);
      return value === undefined ? [] : [{ at: one.at, value }];
    });
  const trend = (values: readonly Point[], all = values): Trend | null =>
    all.length < observations.length ? null : trendOf(values);
  const heap = points(({ javascript }) => javascript.used);
  return {
    seconds: ((observations.at(-1)?.at ?? 0) - (observations[0]?.at ?? 0)) / 1000,
    samples: observations.length,
    resident: trendOf(points(({ kernel }) => kernel.rss)),
    anonymous: trendOf(points(({ kernel }) => kernel.anonymous ?? kernel.rss)),
    heap: trend(lowPoints(heap), heap),
    external: trend(points(({ javascript }) => javascript.external)),
    allocated: trend(points(({ allocator }) => allocator.figures.allocated)),
    collections: heap.length < observations.length ? null : countFalls(heap),
  };
}
