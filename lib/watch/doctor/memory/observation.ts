/**
 * What the doctor knows of a process's memory at a moment, and where its resident memory is.
 *
 * @module
 */
import type { ProcessMemory } from "../../memory/types.ts";

/** How unused memory is spread over an allocator's arenas. Sizes are in bytes. */
export interface ArenaSpread {
  /** The arenas with a MiB or more of unused memory. */
  readonly arenas: number;
  /** The unused memory of all arenas but the one that has the most. */
  readonly unused: number;
}

/** A process's memory at a moment. */
export interface Observation
  extends Pick<ProcessMemory, "at" | "allocator" | "runtime" | "kernel" | "javascript"> {
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
  const { allocator, kernel, javascript, runtime } = observation;
  const { allocated } = allocator.figures;
  const runtimeBytes = runtime?.figures.committed ?? runtime?.figures.resident ?? null;
  // A runtime with an allocator of its own has its heap and its buffers there.
  const heap = javascript.total ?? null;
  const external = externalOf(observation, runtimeBytes, heap);
  const ofAllocator = runtime === null ? external ?? 0 : 0;
  const counted = {
    javaScriptHeap: heap,
    external,
    allocatorLive: allocated === undefined ? null : Math.max(0, allocated - ofAllocator),
    ...unusedOf(observation),
    codeAndFiles: kernel.file === undefined ? null : kernel.file + (kernel.shared ?? 0),
  };
  const sum = Object.values(counted).reduce<number>((total, part) => total + (part ?? 0), 0);
  const left = (kernel.rss ?? 0) - sum;
  const huge = kernel.anonHugePages;
  const hugePages = huge === undefined ? null : Math.max(0, Math.min(huge, left));
  return { ...counted, hugePages, rest: left - (hugePages ?? 0) };
}

/** External memory comes of the process's allocator, unless the runtime has its own. */
function externalOf(
  { allocator, javascript, runtime }: Observation,
  runtimeBytes: number | null,
  heap: number | null,
): number | null {
  const { external } = javascript;
  if (external === undefined) return null;
  if (runtime !== null) {
    return runtimeBytes === null
      ? external
      : Math.min(external, Math.max(0, runtimeBytes - (heap ?? 0)));
  }
  const { allocated } = allocator.figures;
  return allocated === undefined ? external : Math.min(external, allocated);
}

/**
 * The allocator's unused memory. One that counts its pages says which of it can be given back. Of
 * another only the sum is known, as far as it can be resident, and it may all be given back for all
 * that can be seen.
 */
function unusedOf(
  { allocator, kernel, javascript, runtime }: Observation,
): Pick<MemoryParts, "fragmentation" | "heldBack"> {
  const { allocated, active, resident, metadata = 0, dirty, mapped } = allocator.figures;
  if (allocated === undefined) return { fragmentation: null, heldBack: null };
  if (active !== undefined) {
    const kept = dirty ?? (resident === undefined ? null : resident - active - metadata);
    return {
      fragmentation: Math.max(0, active - allocated),
      heldBack: kept === null ? null : Math.max(0, kept),
    };
  }
  const { anonymous } = kernel;
  if (mapped === undefined || anonymous === undefined) {
    return { fragmentation: null, heldBack: null };
  }
  const others = (javascript.total ?? 0) + (runtime?.figures.committed ?? 0);
  const possible = anonymous - others - allocated;
  return { fragmentation: null, heldBack: Math.max(0, Math.min(mapped - allocated, possible)) };
}
