/**
 * An allocator's sampling of the heap: of one allocation now and then it keeps the stack, until the block
 * is freed.
 *
 * @module
 */

/** The bounds of an interval, in bytes. */
export const SAMPLE_INTERVALS = { min: 1024, max: 2 ** 30 } as const;

/** Whether a number of bytes may be an interval: a power of two within the bounds. */
export function isSampleInterval(bytes: number): boolean {
  const { min, max } = SAMPLE_INTERVALS;
  return bytes >= min && bytes <= max && Number.isInteger(Math.log2(bytes));
}

/** How the sampling of an allocator is. */
export interface SamplingState {
  /** Why it cannot be used in this process; `null` when it can. */
  readonly refused: string | null;
  /** Whether allocations are sampled now. */
  readonly active: boolean;
  /** The bytes between two samples, on average; `null` where it cannot be used. */
  readonly interval: number | null;
}

/** The sampling of one allocator. */
export interface SamplingControl {
  /** How it is now. */
  state(): SamplingState;
  /**
   * Samples allocations from now on.
   *
   * @param interval The bytes between two samples, on average: a power of two. Another one than before
   * forgets all samples. Without it that of before.
   */
  start(interval?: number): void;
  /** Samples nothing more; what was sampled is known until it is freed. */
  stop(): void;
  /** Writes what is known to a file, as the allocator does. */
  dump(path: string): void;
}

/** Opens the sampling of the allocator in an object; `null` for the process itself. */
export type SamplingOpener = (object: string | null) => SamplingControl;
