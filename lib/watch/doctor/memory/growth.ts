/**
 * Growth: what grows, by how much, and whose it is.
 *
 * @module
 */
import { formatBytes } from "../../../units.ts";
import { adviceFor } from "./advice.ts";
import { type Rule, type RuleFacts, SURE } from "./rule.ts";
import type { Trend } from "./trend.ts";
import type { MemoryFinding } from "./types.ts";

/** Growth is worth a word from this share of resident memory on, and these bytes, while watched. */
const GROWTH = { share: 0.02, bytes: 2 * 2 ** 20 };

/** What nobody accounts for grows by this much, at least: a program that starts grows for a while. */
const UNACCOUNTED = { share: 0.15, bytes: 16 * 2 ** 20 };

/** A figure accounts for growth when it grows by this share of what the whole does. */
const ACCOUNTS = 0.5;

/** After fewer collections than that, what is left of the heap may still be garbage. */
const LEAST_COLLECTIONS = 2;

const ABOVE_ALL = 2 ** 50;

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

/** Growth comes before all else, since it does not end. */
export const GROWTH_RULES: readonly Rule[] = [
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
      const quiet = (trends?.collections ?? LEAST_COLLECTIONS) < LEAST_COLLECTIONS;
      if (quiet && !isUnusual(total, facts)) return null;
      return {
        sure: quiet ? SURE.inferred : total.sureOfRise,
        because:
          `it grows by ${each(total.perSecond)}, and JavaScript's heap and what it holds by ` +
          each(script) +
          (quiet ? ". The heap was hardly collected meanwhile: it may be garbage" : ""),
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
];
