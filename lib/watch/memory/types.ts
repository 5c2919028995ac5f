/**
 * One snapshot of a process's memory: what the kernel, the allocators, the JavaScript runtime and the
 * control group say, each figure by its name. Sizes are in bytes.
 *
 * @module
 */
import type { ProcessAllocator } from "../../allocators/mod.ts";
import type { AllocatorFigures, Figures } from "../../allocators/statistics.ts";

/**
 * What the kernel counts of a process.
 * - `rss`: physical memory, pages that it shares with others included;
 * - `pss`: the same, where each shared page counts by its share;
 * - `swap`: what was swapped out;
 * - `anonymous`: of `rss`, what no file backs;
 * - `file`: of `rss`, what files back: code, and files that are mapped;
 * - `shared`: of `rss`, memory that is made to be shared, such as `memfd`;
 * - `anonHugePages`: of `anonymous`, what is in huge pages;
 * - `peak`: the maximum that there ever was of `rss`;
 * - `minorFaults`: page faults without a disk, since the start;
 * - `majorFaults`: page faults that had to wait for a disk, since the start.
 */
export const KERNEL_FIGURES = [
  "rss",
  "pss",
  "swap",
  "anonymous",
  "file",
  "shared",
  "anonHugePages",
  "peak",
  "minorFaults",
  "majorFaults",
] as const;

/** The name of a figure of the kernel's. */
export type KernelFigure = (typeof KERNEL_FIGURES)[number];

/** What the kernel counts: see {@linkcode KERNEL_FIGURES}. */
export type KernelFigures = Figures<KernelFigure>;

/**
 * What the JavaScript runtime counts of the thread that asks.
 * - `used`: in objects of the JavaScript heap;
 * - `total`: what the heap has of the system;
 * - `physical`: of `total`, what is in memory;
 * - `limit`: what it may have at most;
 * - `external`: of memory outside of the heap that objects of it hold, array buffers included;
 * - `arrayBuffers`: in array buffers.
 *
 * Bun's `used` and `external` are those of its last garbage collection.
 */
export const JAVASCRIPT_FIGURES = [
  "used",
  "total",
  "physical",
  "limit",
  "external",
  "arrayBuffers",
] as const;

/** The name of a figure of the runtime's. */
export type JavaScriptFigure = (typeof JAVASCRIPT_FIGURES)[number];

/** What the runtime counts: see {@linkcode JAVASCRIPT_FIGURES}. */
export type JavaScriptFigures = Figures<JavaScriptFigure>;

/**
 * What a control group counts of the memory of all its processes.
 * - `usage`: what is charged to it, page cache included;
 * - `limit`: the tightest hard limit, of the group or one above it;
 * - `high`: the tightest limit from which on its processes are slowed down;
 * - `available`: what is left before the nearest of all limits;
 * - `limitReached`: how often the limit kept it from getting memory at once;
 * - `outOfMemory`: how often the limit was reached and nothing could be taken back;
 * - `killed`: how many of its processes the kernel has killed for it.
 */
export const GROUP_FIGURES = [
  "usage",
  "limit",
  "high",
  "available",
  "limitReached",
  "outOfMemory",
  "killed",
] as const;

/** The name of a figure of a control group's. */
export type GroupFigure = (typeof GROUP_FIGURES)[number];

/** What a control group counts: see {@linkcode GROUP_FIGURES}. */
export type GroupFigures = Figures<GroupFigure>;

/**
 * How far apart what the program has and what it costs are, by Redis's names. A ratio of 1 means
 * that they are the same; the bytes are the difference.
 * - `allocator_frag`: `active` over `allocated`: pages that are in use in part;
 * - `allocator_rss`: `resident` over `active`: pages that are not in use and are still in memory;
 * - `rss_overhead`: `rss` over `resident`: what is no allocator's, such as code and the JavaScript heap;
 * - `mem_fragmentation`: `rss` over `allocated`: all of it.
 */
export const FRAGMENTATION_FIGURES = [
  "allocator_frag_ratio",
  "allocator_frag_bytes",
  "allocator_rss_ratio",
  "allocator_rss_bytes",
  "rss_overhead_ratio",
  "rss_overhead_bytes",
  "mem_fragmentation_ratio",
  "mem_fragmentation_bytes",
] as const;

/** The name of a figure of fragmentation. */
export type FragmentationFigure = (typeof FRAGMENTATION_FIGURES)[number];

/** See {@linkcode FRAGMENTATION_FIGURES}. */
export type Fragmentation = Figures<FragmentationFigure>;

/** Who serves a part of a process's memory, and what it counts. */
export interface CountedAllocator {
  /** Its name. */
  readonly name: ProcessAllocator;
  /** Its version; `null` when it could not be read. */
  readonly version: string | null;
  /** What it counts. */
  readonly figures: AllocatorFigures;
}

/** One part of RSS. */
export interface MemoryPart {
  /** What it is. */
  readonly name: PartName;
  /** How much. Only `rest` may be below 0. */
  readonly bytes: number;
}

/**
 * The parts that RSS is made of, as far as somebody counts them:
 * - `javascript`: the JavaScript heap of this thread;
 * - `live`: blocks that the program has, by their allocators;
 * - `fragmentation`: in pages that are in use in part;
 * - `held`: unused pages that the allocators keep;
 * - `metadata`: the allocators' administration;
 * - `committed`: what allocators have committed that count no blocks, such as mimalloc;
 * - `runtime`: what the runtime's own allocator has beside the JavaScript heap, where it has one;
 * - `files`: code, and files that are mapped;
 * - `shared`: memory that is made to be shared;
 * - `rest`: what is left: stacks, machine code, other threads' heaps, and what allocators count that
 *   was never written to, which makes it less than 0.
 */
export const MEMORY_PARTS = [
  "javascript",
  "live",
  "fragmentation",
  "held",
  "metadata",
  "committed",
  "runtime",
  "files",
  "shared",
  "rest",
] as const;

/** The name of a part of RSS. */
export type PartName = (typeof MEMORY_PARTS)[number];

/** A snapshot. */
export interface ProcessMemory {
  /** When it was taken, in milliseconds since 1970. */
  readonly at: number;
  /** Who serves `malloc`. */
  readonly allocator: CountedAllocator;
  /** Those of offheap's own blocks that this thread has opened, apart from the one that serves `malloc`. */
  readonly own: readonly CountedAllocator[];
  /** The runtime's own allocator, where it has one: Bun's mimalloc. */
  readonly runtimeAllocator: CountedAllocator | null;
  /** What the kernel counts. */
  readonly kernel: KernelFigures;
  /** What the JavaScript runtime counts. */
  readonly javascript: JavaScriptFigures;
  /** What the control group counts; a string says why there is none. */
  readonly group: GroupFigures | string;
  /** Fragmentation, by Redis's names. */
  readonly fragmentation: Fragmentation;
  /** What RSS is made of, the rest last; empty where RSS is not known. */
  readonly parts: readonly MemoryPart[];
}
