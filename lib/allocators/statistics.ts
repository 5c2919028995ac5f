/**
 * One shape for what all allocators count. A figure is a number that somebody counted, or absent with
 * its reason.
 *
 * @module
 */

import { OffheapError } from "../errors.ts";

/**
 * Figures by name. Each name of `N` is either a number that was counted, or has in `absent` the reason
 * why there is none: never a 0 that nobody counted.
 */
export type Figures<N extends string> =
  & { readonly [Name in N]?: number }
  & {
    /** Why the others are not there. */
    readonly absent: Readonly<Partial<Record<N, string>>>;
  };

/**
 * What an allocator may count. All but the last two are bytes.
 * - `allocated`: in blocks that the program has;
 * - `active`: in pages that hold such blocks;
 * - `resident`: in physical memory, by its own account;
 * - `mapped`: of addresses that are in use, whether there is memory at them or not;
 * - `retained`: of addresses that it keeps for later, with no memory at them;
 * - `metadata`: for its own administration;
 * - `committed`: of memory that it may write to;
 * - `dirty`: in unused pages that are still in memory;
 * - `muzzy`: in unused pages that the kernel may take when it likes;
 * - `arenas`: parts that allocate apart from each other;
 * - `threads`: threads that use it.
 */
export const ALLOCATOR_FIGURES = [
  "allocated",
  "active",
  "resident",
  "mapped",
  "retained",
  "metadata",
  "committed",
  "dirty",
  "muzzy",
  "arenas",
  "threads",
] as const;

/** The name of a figure of an allocator's. */
export type AllocatorFigure = (typeof ALLOCATOR_FIGURES)[number];

/** What an allocator counts: see {@linkcode ALLOCATOR_FIGURES}. */
export type AllocatorFigures = Figures<AllocatorFigure>;

/** The figures of one arena. */
export interface ArenaFigures {
  /** Its index. */
  readonly arena: number;
  /** Its figures. */
  readonly figures: AllocatorFigures;
}

/** An allocator's counters, and what makes it give memory back. */
export interface OpenedStatistics {
  /** Reads the figures. */
  read(): AllocatorFigures;
  /** The same of each arena; a string says why there is none. */
  readArenas(): readonly ArenaFigures[] | string;
  /**
   * Gives the memory of unused pages back to the system.
   *
   * @returns `null` when it was done, else why not.
   */
  purge(): string | null;
  /**
   * Has unused pages kept for that long before they are given back; below 0, as long as at the start.
   *
   * @returns As {@linkcode OpenedStatistics.purge}.
   */
  decay(milliseconds: number): string | null;
  /**
   * Gives back what the calling thread has cached, too, and purges.
   *
   * @returns As {@linkcode OpenedStatistics.purge}.
   */
  collect(): string | null;
  /** Ends the use of its functions. */
  close(): void;
}

/** Opens an allocator's counters, by its object file; `null` for the process itself. */
export type StatisticsOpener = (object: string | null) => OpenedStatistics;

/** Figures of which some were counted: each name of the list that has no number needs a reason. */
export function figures<N extends string>(
  names: readonly N[],
  counted: Readonly<Partial<Record<N, number>>>,
  why: Readonly<Partial<Record<N, string>>> | string,
): Figures<N> {
  // In the order of the names, whoever shows them.
  const found: Partial<Record<N, number>> = {};
  const absent: Partial<Record<N, string>> = {};
  for (const name of names) {
    const value = counted[name];
    if (value !== undefined) {
      found[name] = value;
      continue;
    }
    const reason = typeof why === "string" ? why : why[name];
    if (reason === undefined) {
      throw new TypeError(`Cannot leave out the figure "${name}": it has no reason`);
    }
    absent[name] = reason;
  }
  return { ...found, absent } as Figures<N>;
}

/** An allocator's figures of which none can be had, for one reason. */
export function noFigures(why: string): AllocatorFigures {
  return figures(ALLOCATOR_FIGURES, {}, why);
}

/** Reads the figures; where that fails, the reason is each figure's. */
export function readOrWhy({ read }: OpenedStatistics): AllocatorFigures {
  try {
    return read();
  } catch (error) {
    return noFigures(whyNot(error));
  }
}

/**
 * Opens an allocator's counters; where they cannot be had, what they answer is the reason.
 *
 * @param open Opens them.
 */
export function openOrWhy(open: () => OpenedStatistics): OpenedStatistics {
  try {
    return open();
  } catch (error) {
    const why = whyNot(error);
    return noStatistics(why, why);
  }
}

/** What the system, a library or its answer is to blame for; a fault of offheap's own is thrown. */
function whyNot(error: unknown): string {
  if (error instanceof OffheapError || error instanceof RangeError) return error.message;
  throw error;
}

/** What an allocator without counters and functions to call answers. */
export function noStatistics(uncounted: string, refusal: string): OpenedStatistics {
  return {
    read: () => noFigures(uncounted),
    readArenas: () => uncounted,
    purge: () => refusal,
    decay: () => refusal,
    collect: () => refusal,
    close() {},
  };
}
