/**
 * What each verdict is known by: a table of rules. The one that explains most of the memory comes
 * first; growth comes before all others, since it does not end.
 *
 * @module
 */
import { formatBytes } from "../../../units.ts";
import { adviceFor } from "./advice.ts";
import type { MemoryParts, Observation } from "./observation.ts";
import type { Trend } from "./trend.ts";
import type { MemoryFacts, MemoryFinding, MemoryTrends, MemoryVerdict } from "./types.ts";

/** What a rule looks at. */
export interface RuleFacts extends MemoryFacts {
  /** The latest observation. */
  readonly last: Observation;
  /** Where resident memory is. */
  readonly parts: MemoryParts;
  /** Resident memory, in bytes. */
  readonly resident: number;
  /** How figures moved; `null` after a single look. */
  readonly trends: MemoryTrends | null;
}

interface Rule {
  readonly verdict: MemoryVerdict;
  /** How much it explains, in bytes; growth is above all. */
  weight(facts: RuleFacts): number;
  /** What speaks for it; `null` when it does not hold. */
  find(facts: RuleFacts): Omit<MemoryFinding, "verdict"> | null;
}

/** From this share of resident memory on, and these bytes, unused memory is worth a word. */
const MATERIAL = { share: 0.25, bytes: 32 * 2 ** 20 };

/** Growth is worth a word from this share of resident memory on, and these bytes, while watched. */
const GROWTH = { share: 0.02, bytes: 2 * 2 ** 20 };

/** What nobody accounts for grows by this much, at least: a program that starts grows for a while. */
const UNACCOUNTED = { share: 0.15, bytes: 16 * 2 ** 20 };

/** A figure accounts for growth when it grows by this share of what the whole does. */
const ACCOUNTS = 0.5;

/** Unused memory is the arenas' fault when it is in this many, and this share not in the largest. */
const SPREAD = { arenas: 4, share: 0.5 };

/** Without the arenas' own figures, these numbers of arenas and threads are many. */
const MANY = { arenas: 8, threads: 24 };

/** How sure a verdict is that rests on what was counted, or on what can only be inferred. */
const SURE = { counted: 0.95, inferred: 0.6 };

const ABOVE_ALL = 2 ** 50;

function isMaterial(bytes: number, resident: number): boolean {
  return bytes >= MATERIAL.bytes && bytes >= MATERIAL.share * resident;
}

function percent(part: number, whole: number): string {
  return `${Math.round(part / whole * 100)} %`;
}

/**
 * Whether memory grows that no file backs, and by enough: code that is used more is no growth. It grows
 * in steps, and may stay for a while when what is counted in it goes on.
 */
export function growth({ trends, resident }: RuleFacts): Trend | null {
  if (trends === null) return null;
  const isEnough = ({ change }: Trend): boolean =>
    change >= GROWTH.bytes && change >= GROWTH.share * resident;
  const goesOn = [trends.anonymous, trends.heap, trends.external, trends.allocated]
    .some((trend) => trend?.shape === "rising" && isEnough(trend));
  const { anonymous } = trends;
  const rises = anonymous.shape === "rising" || anonymous.shape === "settled";
  return rises && goesOn && isEnough(anonymous) ? anonymous : null;
}

/** Whether it is too much for garbage, and for a program that is still starting. */
function isUnusual({ change }: Trend, { resident }: RuleFacts): boolean {
  return change >= UNACCOUNTED.bytes && change >= UNACCOUNTED.share * resident;
}

/** By how much a figure grows in a second, where it does so surely; else 0. */
function pace(trend: Trend | null | undefined): number {
  return trend?.shape === "rising" ? trend.perSecond : 0;
}

/** The growth of the JavaScript heap and what it holds, and of the rest of native memory. */
function growthOf({ trends, last }: RuleFacts): { script: number; native: number } {
  const heap = pace(trends?.heap);
  const external = pace(trends?.external);
  const allocated = pace(trends?.allocated);
  // Buffers count as allocated, too, unless the runtime has an allocator of its own.
  const held = last.runtimeAllocator === null ? external : 0;
  return { script: heap + external, native: Math.max(0, allocated - held) };
}

/** How a figure's pace is said. */
function each(perSecond: number): string {
  return `${formatBytes(Math.round(perSecond * 60))} a minute`;
}

const unused = ({ parts }: RuleFacts): number => (parts.heldBack ?? 0) + (parts.fragmentation ?? 0);

/** Whether unused memory is spread over many arenas, and how sure that is; `null` when it is not. */
function spread(facts: RuleFacts): { sure: number; because: string; bytes: number } | null {
  const { last, resident } = facts;
  const bytes = unused(facts);
  if (!isMaterial(bytes, resident)) return null;
  if (typeof last.spread !== "string") {
    const { arenas, unused: elsewhere } = last.spread;
    return arenas >= SPREAD.arenas && elsewhere >= SPREAD.share * bytes
      ? {
        sure: SURE.counted,
        because:
          `${formatBytes(elsewhere)} of unused memory are in ${arenas - 1} arenas beside the ` +
          "one that has the most: threads have used memory and given it back to arenas of their own",
        bytes: elsewhere,
      }
      : null;
  }
  const { arenas = 0 } = last.allocator.figures;
  return arenas >= MANY.arenas && (last.threads ?? 0) >= MANY.threads
    ? {
      sure: SURE.inferred,
      because:
        `${formatBytes(bytes)} are unused, there are ${arenas} arenas, and ${last.threads} ` +
        "threads",
      bytes,
    }
    : null;
}

/** What a purge brought back: more than half of the unused memory was held back, less was not. */
function broughtBack({ purged }: RuleFacts): number | null {
  if (purged === null || purged.outcome.refused !== null) return null;
  return Math.max(0, purged.outcome.residentBefore - purged.outcome.residentAfter);
}

/** The rules. */
export const RULES: readonly Rule[] = [
  {
    verdict: "JavaScript heap growth",
    weight: () => ABOVE_ALL,
    find(facts) {
      const total = growth(facts);
      const { script, native } = growthOf(facts);
      if (total === null || script < native || script < ACCOUNTS * total.perSecond) {
        return total === null || !isUnusual(total, facts) ? null : inferredHeapGrowth(facts, total);
      }
      const { trends } = facts;
      const quiet = trends?.collections === 0;
      if (quiet && !isUnusual(total, facts)) return null;
      return {
        sure: quiet ? SURE.inferred : total.sureOfRise,
        because:
          `it grows by ${each(total.perSecond)}, and JavaScript's heap and what it holds by ` +
          each(script) + (quiet ? ". The heap was not collected meanwhile: it may be garbage" : ""),
        figures: {
          growthPerSecond: total.perSecond,
          heapPerSecond: pace(trends?.heap),
          externalPerSecond: pace(trends?.external),
        },
        next: adviceFor("JavaScript heap growth", facts),
      };
    },
  },
  {
    verdict: "native growth",
    weight: () => ABOVE_ALL,
    find(facts) {
      const total = growth(facts);
      if (total === null || inferredHeapGrowth(facts, total) !== null) return null;
      const { script, native } = growthOf(facts);
      if (script >= native && script >= ACCOUNTS * total.perSecond) return null;
      const counted = native >= ACCOUNTS * total.perSecond;
      if (!counted && !isUnusual(total, facts)) return null;
      const alone = typeof facts.last.javascript.external === "number";
      return {
        sure: counted && alone ? total.sureOfRise : Math.min(total.sureOfRise, SURE.inferred),
        because: `it grows by ${each(total.perSecond)}` +
          (counted
            ? `, and blocks that the program has of ${facts.last.allocator.name} by ${
              each(native)
            }` +
              (alone ? "" : "; what of it JavaScript's buffers are cannot be seen")
            : ", and nothing that is counted accounts for it"),
        figures: { growthPerSecond: total.perSecond, allocatedPerSecond: native },
        next: adviceFor("native growth", facts),
      };
    },
  },
  {
    verdict: "huge pages",
    weight: ({ parts }) => parts.hugePages ?? 0,
    find(facts) {
      const { parts, resident, last } = facts;
      const bytes = parts.hugePages ?? 0;
      if (!isMaterial(bytes, resident)) return null;
      return {
        sure: last.javascript.total === undefined ? SURE.inferred : SURE.counted,
        because:
          `${formatBytes(bytes)} are in huge pages and counted by nobody: a page of 2 MiB is ` +
          "resident as a whole when one byte of it is used",
        figures: { hugePages: last.kernel.anonHugePages ?? 0, uncounted: bytes },
        next: adviceFor("huge pages", facts),
      };
    },
  },
  {
    verdict: "thread arenas",
    // Before the two below, whose memory it is.
    weight: (facts) => unused(facts) + 1,
    find(facts) {
      const found = spread(facts);
      return found === null ? null : {
        sure: found.sure,
        because: found.because,
        figures: {
          unused: unused(facts),
          elsewhere: found.bytes,
          ...(facts.last.allocator.figures.arenas === undefined
            ? {}
            : { arenas: facts.last.allocator.figures.arenas }),
        },
        next: adviceFor("thread arenas", facts),
      };
    },
  },
  {
    verdict: "fragmentation",
    weight: (facts) => facts.parts.fragmentation ?? unused(facts),
    find(facts) {
      const { parts, resident, last } = facts;
      const back = broughtBack(facts);
      const counted = parts.fragmentation;
      const bytes = counted ?? parts.heldBack ?? 0;
      if (!isMaterial(bytes, resident) || spread(facts) !== null) return null;
      // Without pages that are counted, only a purge tells it from what is held back.
      if (counted === null && (back === null || back > bytes)) return null;
      return {
        sure: counted === null ? 0.8 : SURE.counted,
        because: counted === null
          ? `${formatBytes(bytes)} are unused, ${
            percent(bytes, resident)
          } of what is resident, and a ` +
            `purge brought back ${formatBytes(back ?? 0)}: blocks that are in use keep their pages`
          : `${formatBytes(bytes)} are unused, ${
            percent(bytes, resident)
          } of what is resident, in ` +
            "pages that blocks in use keep",
        figures: { fragmentation: bytes, allocated: last.allocator.figures.allocated ?? 0 },
        next: adviceFor("fragmentation", facts),
      };
    },
  },
  {
    verdict: "held back after a burst",
    weight: ({ parts }) => parts.heldBack ?? 0,
    find(facts) {
      const { parts, resident, purged } = facts;
      const back = broughtBack(facts);
      const before = purged?.outcome.residentBefore ?? 0;
      if (back !== null && isMaterial(back, before)) {
        return {
          sure: SURE.counted,
          because: `a purge brought back ${formatBytes(back)} of ` +
            `${formatBytes(before)}: the allocator had kept them`,
          figures: { broughtBack: back, residentBefore: before },
          next: adviceFor("held back after a burst", facts),
        };
      }
      const bytes = parts.heldBack ?? 0;
      if (!isMaterial(bytes, resident) || spread(facts) !== null) return null;
      const counted = parts.fragmentation !== null;
      if (!counted && back !== null) return null;
      return {
        sure: counted ? SURE.counted : SURE.inferred,
        because:
          `${formatBytes(bytes)} are unused, ${percent(bytes, resident)} of what is resident, ` +
          `and kept by the allocator` +
          (counted ? "" : ". It may be fragmentation as well: a purge tells them apart"),
        figures: { heldBack: bytes, peak: facts.last.kernel.peak ?? 0 },
        next: adviceFor("held back after a burst", facts),
      };
    },
  },
];

/**
 * Growth that is JavaScript's by what the others do: the runtime is known, what it has is not, and the
 * allocator's blocks do not grow.
 */
function inferredHeapGrowth(
  facts: RuleFacts,
  total: Trend,
): Omit<MemoryFinding, "verdict"> | null {
  const { last, trends, patient } = facts;
  // A runtime counts some of what its own allocator has only when it collects.
  const unseen = last.javascript.used === undefined || last.runtimeAllocator !== null;
  if (!unseen || patient.runtime === null) return null;
  if (trends?.allocated === null || trends === null) return null;
  if (pace(trends.allocated) >= ACCOUNTS * total.perSecond) return null;
  return {
    sure: Math.min(total.sureOfRise, SURE.inferred),
    because:
      `it grows by ${each(total.perSecond)}, and the blocks of ${last.allocator.name} do not: ` +
      "what is left is JavaScript's, its heap and its buffers",
    figures: { growthPerSecond: total.perSecond, allocatedPerSecond: pace(trends.allocated) },
    next: adviceFor("JavaScript heap growth", facts),
  };
}
