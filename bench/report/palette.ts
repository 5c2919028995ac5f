/**
 * Colours and strokes of what charts show. Colours are variables of the page's style sheet, which
 * has them for light and for dark: Okabe and Ito's palette, which people with any kind of colour
 * vision can distinguish.
 *
 * @module
 */
import type { SplitPart } from "./figures.ts";

/** How a subject is drawn. */
export interface Look {
  readonly colour: string;
  /** An SVG dash pattern; none is a solid line. */
  readonly dash: string;
}

const FAMILIES: readonly (readonly [string, string])[] = [
  ["tcmalloc", "var(--tcmalloc)"],
  ["mimalloc", "var(--mimalloc)"],
  ["jemalloc", "var(--jemalloc)"],
];
const OTHER = "var(--system)";

const DASHES: readonly (readonly [RegExp, string])[] = [
  [/throughput/, "9 4"],
  [/low-memory/, "2 3"],
  [/secure/, "9 3 2 3"],
  [/defaults/, "5 3"],
  [/debian/, "1 4"],
];

/** How a subject is drawn: the colour says which allocator, the dashes which set-up. */
export function lookOf(subject: string): Look {
  const colour = FAMILIES.find(([name]) => subject.includes(name))?.[1] ?? OTHER;
  return { colour, dash: DASHES.find(([part]) => part.test(subject))?.[1] ?? "none" };
}

/** The colours of the parts of resident memory, and what each is. */
export const PART_LOOKS: Readonly<Record<SplitPart, { colour: string; title: string }>> = {
  heap: { colour: "var(--heap)", title: "heap: JavaScript’s own, in use" },
  external: { colour: "var(--external)", title: "external: array buffers and the like" },
  live: { colour: "var(--live)", title: "live: handed out by the allocator otherwise" },
  held: { colour: "var(--held)", title: "held: kept back by the allocator" },
  rest: { colour: "var(--rest)", title: "rest: code, stacks, what cannot be distinguished" },
};
