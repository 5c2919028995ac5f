/**
 * What the doctor knows of a process's memory at a moment, and where its resident memory is.
 *
 * @module
 */
import type { CountedAllocator, ProcessMemory } from "../../memory/types.ts";

/** How unused memory is spread over an allocator's arenas. Sizes are in bytes. */
export interface ArenaSpread {
  /** The arenas with a MiB or more of unused memory. */
  readonly arenas: number;
  /** The unused memory of all arenas but the one that has the most. */
  readonly unused: number;
}

/** A process's memory at a moment. */
export interface Observation
  extends
    Pick<ProcessMemory, "at" | "allocator" | "own" | "runtimeAllocator" | "kernel" | "javascript"> {
  /** The process's threads; `null` where the system does not say. */
  readonly threads: number | null;
  /** How unused memory is spread over arenas; a string says why that is not known. */
  readonly spread: ArenaSpread | string;
}

/** Where resident memory is, in bytes; `null` for a part that nobody counted. */
export interface MemoryParts {
  /** The JavaScript heap. */
  readonly javaScriptHeap: number | null;
  /** Native memory that JavaScript objects hold: buffers above all. */
  readonly external: number | null;
  /** Other blocks that the program has of the allocator. */
  readonly allocatorLive: number | null;
  /** Unused memory in pages that hold such blocks, which cannot be given back. */
  readonly fragmentation: number | null;
  /** Unused memory that the allocator keeps. */
  readonly heldBack: number | null;
  /** What is in huge pages, and nobody counts. */
  readonly hugePages: number | null;
  /** Programs, libraries and other files, and memory that is made to be shared. */
  readonly codeAndFiles: number | null;
  /**
   * The difference to the resident memory: stacks, machine code, other threads' heaps, the allocator's
   * administration. Below 0 where others count memory that is not resident.
   */
  readonly rest: number;
}

/** The names of the parts, in the order in which they are shown. */
export const PART_NAMES: Readonly<Record<keyof MemoryParts, string>> = {
  javaScriptHeap: "JavaScript heap",
  external: "external",
  allocatorLive: "allocator live",
  fragmentation: "fragmentation",
  heldBack: "held back",
  hugePages: "huge pages",
  codeAndFiles: "code and files",
  rest: "rest",
};

/** Where the resident memory is. */
export function partsOf(observation: Observation): MemoryParts {
  const { allocator, own, runtimeAllocator, kernel, javascript } = observation;
  const live = [allocator, ...own].reduce((sum, { figures }) => sum + (figures.allocated ?? 0), 0);
  const heap = javascript.physical ?? javascript.total ?? null;
  // A runtime with an allocator of its own has its heap and its buffers there.
  const external = javascript.external === undefined
    ? null
    : runtimeAllocator === null && allocator.figures.allocated !== undefined
    ? Math.min(javascript.external, live)
    : javascript.external;
  const counted = {
    javaScriptHeap: heap,
    external,
    allocatorLive: allocator.figures.allocated === undefined
      ? null
      : live - (runtimeAllocator === null ? external ?? 0 : 0),
    ...unusedOf(observation, heap ?? 0, live),
    codeAndFiles: kernel.file === undefined ? null : kernel.file + (kernel.shared ?? 0),
  };
  const sum = Object.values(counted).reduce<number>((total, part) => total + (part ?? 0), 0);
  const left = (kernel.rss ?? 0) - sum;
  const huge = kernel.anonHugePages;
  const hugePages = huge === undefined ? null : Math.max(0, Math.min(huge, left));
  return { ...counted, hugePages, rest: left - (hugePages ?? 0) };
}

/**
 * The allocators' unused memory. One that counts its pages says which of it can be given back. Of
 * another only the sum is known, as far as it can be resident, and it may all be given back for all
 * that can be seen.
 */
function unusedOf(
  { allocator, own, kernel, runtimeAllocator }: Observation,
  heap: number,
  live: number,
): Pick<MemoryParts, "fragmentation" | "heldBack"> {
  const pages = [allocator, ...own].flatMap((each) => pagesOf(each) ?? []);
  const fragmentation = pages.reduce((sum, each) => sum + each.fragmentation, 0);
  const heldBack = pages.reduce((sum, each) => sum + each.heldBack, 0);
  if (pagesOf(allocator) !== null) return { fragmentation, heldBack };
  const { allocated, mapped } = allocator.figures;
  const { anonymous } = kernel;
  if (allocated === undefined || mapped === undefined || anonymous === undefined) {
    return { fragmentation: null, heldBack: null };
  }
  const ofOwn = fragmentation + heldBack;
  const possible = anonymous - heap - live - ofOwn - (runtimeAllocator?.figures.committed ?? 0);
  return {
    fragmentation: null,
    heldBack: ofOwn + Math.max(0, Math.min(mapped - allocated, possible)),
  };
}

/** An allocator's unused memory by its pages; `null` when it does not count them. */
function pagesOf(
  { figures }: CountedAllocator,
): { readonly fragmentation: number; readonly heldBack: number } | null {
  const { allocated, active, resident, metadata = 0, dirty } = figures;
  if (allocated === undefined || active === undefined) return null;
  const kept = dirty ?? (resident ?? active) - active - metadata;
  return { fragmentation: Math.max(0, active - allocated), heldBack: Math.max(0, kept) };
}
