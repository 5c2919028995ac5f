/**
 * Sampling of blocks for heap profiles, of libraries that serve nothing else: nobody but their allocators
 * sees those.
 *
 * @module
 */
import { type Callee, captureStack } from "../stack.ts";

/** A block that is in use, as it was sampled. */
export interface SampledBlock {
  /** The stack of its allocation, a line a frame, as {@linkcode Error.stack} has it. */
  readonly stack: string;
  /** The library that it is from; `null` for who serves `malloc`. */
  readonly object: string | null;
  /** Its size in bytes. */
  readonly size: number;
  /** How many such blocks it stands for. */
  readonly factor: number;
}

/** What is kept of an allocation that is in use. */
interface Sampleable {
  /** Its size in bytes. */
  readonly size: number;
  /** Whether it still is in use. */
  readonly state: string;
}

interface Record {
  readonly stack: string;
  readonly object: string | null;
  readonly factor: number;
}

/** How many frames are recorded. */
const FRAMES = 32;

/** How many records there may be before those of freed blocks are looked for. */
const FIRST_LIMIT = 1024;

/** The samples of a thread's blocks. */
export class BlockSampling {
  readonly #interval: number;
  readonly #records = new Map<Sampleable, Record>();
  #limit = FIRST_LIMIT;
  #method: Callee | undefined;

  /**
   * Starts without any.
   *
   * @param interval The bytes between two samples, on average.
   */
  constructor(interval: number) {
    this.#interval = interval;
  }

  /** The user's method that is about to allocate: stacks begin with its caller. */
  expect(method: Callee): void {
    this.#method = method;
  }

  /** A block was allocated: it is sampled with the probability that jemalloc's sampling has. */
  take(live: Sampleable, object: string | null): void {
    const chance = -Math.expm1(-live.size / this.#interval);
    if (Math.random() >= chance) return;
    if (this.#records.size >= this.#limit) this.#prune();
    // Of what comes another way, such as an arena's next chunk, all frames are kept.
    const stack = captureStack(FRAMES, this.#method) || captureStack(FRAMES);
    this.#records.set(live, { stack, object, factor: 1 / chance });
  }

  /** The blocks that are still in use. */
  blocks(): SampledBlock[] {
    this.#prune();
    return [...this.#records].map(([{ size }, record]) => ({ ...record, size }));
  }

  #prune(): void {
    for (const live of this.#records.keys()) {
      if (live.state !== "live") this.#records.delete(live);
    }
    this.#limit = Math.max(FIRST_LIMIT, 2 * this.#records.size);
  }
}

let current: BlockSampling | null = null;

/** What samples this thread's blocks; `null` while nobody wants it. */
export function blockSampling(): BlockSampling | null {
  return current;
}

/** Starts or ends the sampling of this thread's blocks. */
export function setBlockSampling(sampling: BlockSampling | null): void {
  current = sampling;
}
