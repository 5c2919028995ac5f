/**
 * A heap profile: which stacks hold memory.
 *
 * @module
 */

/**
 * What a frame is:
 * - `javascript`: a function of the program's own, or of a package that it uses;
 * - `native`: a function of an addon or of a library that the program brought with it;
 * - `runtime`: what the runtime, the C library, an allocator or offheap has in between.
 */
export type FrameKind = "javascript" | "native" | "runtime";

/** One frame of a stack: a function, and where it is. */
export interface HeapFrame {
  /** What it is. */
  readonly kind: FrameKind;
  /** The function's name; of C++ and Rust without parameters. */
  readonly name: string;
  /** The file of its source; `null` where that is not known. */
  readonly file: string | null;
  /** The line on which the function begins, from 1; 0 where it is not known. */
  readonly line: number;
  /** The column, from 1; 0 where it is not known. */
  readonly column: number;
  /** The address that was on the stack; 0 for a frame that is known by its text. */
  readonly address: number;
}

/** What one stack has, as it was sampled, or in all. */
export interface HeapAmount {
  /** Allocations. */
  readonly objects: number;
  /** Their bytes. */
  readonly bytes: number;
}

/**
 * Where samples come from: `malloc` is jemalloc's sampling of the process, `blocks` are those of
 * {@linkcode openAllocator} from a library that serves nothing else, `javascript` is V8's own sampling
 * of objects. What is in one of them is in none of the others.
 */
export type HeapSource = "malloc" | "blocks" | "javascript";

/** Every {@linkcode HeapSource}. */
export const HEAP_SOURCES: readonly HeapSource[] = ["malloc", "blocks", "javascript"];

/** One stack, with what was allocated there. */
export interface HeapSample {
  /** Where it was counted. */
  readonly source: HeapSource;
  /** The frames, the innermost first. */
  readonly stack: readonly HeapFrame[];
  /** What is in use, scaled to what was not sampled; of a difference it may be below 0. */
  readonly inUse: HeapAmount;
  /** What was allocated in all, freed or not; `null` where nobody counts it. */
  readonly allocated: HeapAmount | null;
  /** How many allocations were sampled. */
  readonly sampled: number;
}

/** A file that was mapped, and is on a stack. */
export interface HeapMapping {
  /** The first address. */
  readonly start: number;
  /** The first address past it. */
  readonly end: number;
  /** Where in the file it begins. */
  readonly offset: number;
  /** Its path. */
  readonly path: string;
  /** The linker's mark of this very build, in hexadecimal; `null` without one. */
  readonly buildId: string | null;
}

/** Which stacks of a process hold memory, at one moment or as it has changed between two. */
export interface HeapProfile {
  /** When it was taken, in milliseconds since 1970. */
  readonly at: number;
  /** Over how long memory was watched, in milliseconds; `null` for all that is in use. */
  readonly milliseconds: number | null;
  /** The process. */
  readonly pid: number;
  /** The bytes between two samples, on average. */
  readonly interval: number;
  /** The stacks. */
  readonly samples: readonly HeapSample[];
  /** The files that are on them. */
  readonly mappings: readonly HeapMapping[];
  /** Why a source has no samples; those that have are not named. */
  readonly absent: Readonly<Partial<Record<HeapSource, string>>>;
  /** What is to be known to read it. */
  readonly notes: readonly string[];
}
