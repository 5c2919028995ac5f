/**
 * Fragmentation, by Redis's names.
 *
 * @module
 */
import type { AllocatorFigure, AllocatorFigures } from "../../allocators/statistics.ts";
import { figures } from "../../allocators/statistics.ts";
import { type Fragmentation, FRAGMENTATION_FIGURES, type FragmentationFigure } from "./types.ts";

/** A number, or why there is none. */
type Known = number | string;

/** What several allocators have together: known only where each of them counts it. */
function sumOf(all: readonly AllocatorFigures[], name: AllocatorFigure): Known {
  let sum = 0;
  for (const { [name]: value, absent } of all) {
    if (value === undefined) return absent[name] ?? "it is not counted";
    sum += value;
  }
  return sum;
}

/** Each ratio: what is over what. */
const RATIOS = [
  ["allocator_frag", "active", "allocated"],
  ["allocator_rss", "resident", "active"],
  ["rss_overhead", "rss", "resident"],
  ["mem_fragmentation", "rss", "allocated"],
] as const;

/**
 * How much more memory the process has than its program asked for.
 *
 * @param all The allocators that serve it.
 * @param rss Its resident memory, or why that is not known.
 */
export function fragmentationOf(all: readonly AllocatorFigures[], rss: Known): Fragmentation {
  const counted: Partial<Record<FragmentationFigure, number>> = {};
  const why: Partial<Record<FragmentationFigure, string>> = {};
  const known = (name: "rss" | AllocatorFigure): Known => name === "rss" ? rss : sumOf(all, name);
  for (const [name, over, under] of RATIOS) {
    const [above, below] = [known(over), known(under)];
    if (typeof above === "number" && typeof below === "number" && below > 0) {
      counted[`${name}_ratio`] = above / below;
      counted[`${name}_bytes`] = above - below;
      continue;
    }
    const reason = [above, below].find((each) => typeof each === "string") ??
      `there is nothing ${under}`;
    why[`${name}_ratio`] = String(reason);
    why[`${name}_bytes`] = String(reason);
  }
  return figures(FRAGMENTATION_FIGURES, counted, why);
}
