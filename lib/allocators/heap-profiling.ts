/**
 * How an allocator samples the heap: one allocation each so many bytes, with its call stack.
 *
 * @module
 */
import type { ProfileOption } from "./profiles.ts";
import type { SamplingOpener } from "./sampling.ts";

/** An allocator that offheap takes heap profiles by. */
export interface HeapSampling {
  /** What a manifest's features name in a build that can sample. */
  readonly feature: string;
  /** The first version that takes offheap's unwinder. */
  readonly since: string;
  /** The options that prepare it. */
  options(interval: number, active: boolean): readonly ProfileOption[];
  /** Opens it in the process that was prepared. */
  readonly open: SamplingOpener;
}

/** How an allocator samples; else why offheap takes no heap profile by it, as a clause. */
export type HeapProfiling = HeapSampling | { readonly refusal: string };
