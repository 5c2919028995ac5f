/**
 * A profile as a table of functions.
 *
 * @module
 */
import { functionKey, functionName } from "./names.ts";
import type { HeapFrame, HeapProfile, HeapSample, HeapSource } from "./types.ts";

/** One function. */
export interface FunctionRow {
  /** The function with its place, as {@linkcode functionName} has it. */
  readonly name: string;
  /** Bytes that were allocated by it, not by functions that it calls. */
  readonly own: number;
  /** Bytes that were allocated by it and by what it calls. */
  readonly total: number;
  /** The same as parts of all bytes; of a difference, of all that grew and all that shrank. */
  readonly ownShare: number;
  /** The same of `total`. */
  readonly totalShare: number;
}

/** What is shown of a profile. */
export interface ViewOptions {
  /** Whether frames of the runtime are shown; without them what they allocate counts for their callers. */
  readonly runtime?: boolean;
  /** Which samples; all of native memory by default. */
  readonly sources?: readonly HeapSource[];
}

/** What stands for stacks that have nothing but the runtime on them. */
export const RUNTIME_ALONE: HeapFrame = {
  kind: "runtime",
  name: "without a function of the program",
  file: null,
  line: 0,
  column: 0,
  address: 0,
};

const NATIVE: readonly HeapSource[] = ["malloc", "blocks"];

/** The samples that are shown. */
function shownSamples(
  { samples }: HeapProfile,
  { sources = NATIVE }: ViewOptions,
): readonly HeapSample[] {
  return samples.filter(({ source }) => sources.includes(source));
}

/** The frames of a stack that are shown, the innermost first. */
function shownFrames(
  { stack }: HeapSample,
  { runtime = false }: ViewOptions,
): readonly HeapFrame[] {
  const shown = runtime ? stack : stack.filter(({ kind }) => kind !== "runtime");
  return shown.length === 0 ? [RUNTIME_ALONE] : shown;
}

/** Whether one amount comes before another: of a difference, what shrank is as notable as what grew. */
function bySize(a: number, b: number): number {
  return Math.abs(b) - Math.abs(a);
}

/** The functions of a profile, sorted by their own bytes, the largest first. */
export function functionTable(profile: HeapProfile, options: ViewOptions = {}): FunctionRow[] {
  const own = new Map<string, number>();
  const total = new Map<string, number>();
  const names = new Map<string, string>();
  const add = (sums: Map<string, number>, key: string, bytes: number): void => {
    sums.set(key, (sums.get(key) ?? 0) + bytes);
  };
  let all = 0;
  for (const sample of shownSamples(profile, options)) {
    const { bytes } = sample.inUse;
    all += Math.abs(bytes);
    const frames = shownFrames(sample, options);
    const keys = frames.map((frame) => {
      const key = functionKey(frame);
      if (!names.has(key)) names.set(key, functionName(frame));
      return key;
    });
    const [innermost] = keys;
    if (innermost !== undefined) add(own, innermost, bytes);
    // A function that calls itself holds its bytes once.
    for (const key of new Set(keys)) add(total, key, bytes);
  }
  return [...total].map(([key, bytes]) => {
    const mine = own.get(key) ?? 0;
    return {
      name: names.get(key) ?? "",
      own: mine,
      total: bytes,
      ownShare: all === 0 ? 0 : mine / all,
      totalShare: all === 0 ? 0 : bytes / all,
    };
  }).sort((a, b) => bySize(a.own, b.own) || bySize(a.total, b.total) || (a.name < b.name ? -1 : 1));
}
