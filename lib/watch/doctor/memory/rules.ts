/**
 * What each verdict is known by: a table of rules. The one that explains most of the memory comes
 * first; growth comes before all others, since it does not end.
 *
 * @module
 */
import { formatBytes } from "../../../units.ts";
import { adviceFor } from "./advice.ts";
import { GROWTH_RULES } from "./growth.ts";
import { type Rule, type RuleFacts, SURE } from "./rule.ts";

/** From this share of resident memory on, and these bytes, unused memory is worth a word. */
const MATERIAL = { share: 0.25, bytes: 32 * 2 ** 20 };

/** Unused memory is the arenas' fault when it is in this many, and this share not in the largest. */
const SPREAD = { arenas: 4, share: 0.5 };

/** Without the arenas' own figures, these numbers of arenas and threads are many. */
const MANY = { arenas: 8, threads: 24 };

function isMaterial(bytes: number, resident: number): boolean {
  return bytes >= MATERIAL.bytes && bytes >= MATERIAL.share * resident;
}

function percent(part: number, whole: number): string {
  return `${Math.round(part / whole * 100)} %`;
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
  ...GROWTH_RULES,
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
      // Without pages that are counted, only a purge distinguishes it from what is held back.
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
