/**
 * What each runtime counts of its own memory: no native library is needed for it, and no permission.
 *
 * @module
 */
import process from "node:process";

/** What a runtime counts of its JavaScript heap, in bytes, and why it does not count the rest. */
export interface HeapReading {
  /** What is counted. */
  readonly counted: Readonly<Record<string, number>>;
  /** Why the others are not. */
  readonly why: Readonly<Record<string, string>>;
}

/** How large a JavaScript heap is, in bytes, as far as it is known. */
export interface HeapSize {
  /** What it has of the system. */
  readonly total?: number;
  /** Of that, what is in memory. */
  readonly physical?: number;
  /** What its objects hold outside of it. */
  readonly external?: number;
}

/** The allocator that a runtime keeps for itself. */
export interface OwnAllocator {
  /** What it has committed, in bytes. */
  readonly committed: number;
  /** All of its statistics, as it gives them; `null` where they were not asked for. */
  readonly statistics: unknown;
}

/** What each runtime's reader offers. */
export interface RuntimeMemory {
  /** The heap of the thread that asks. */
  heap(): HeapReading;
  /** Its size alone, for what is read often: the rest takes several times as long. */
  heapSize(): HeapSize;
  /**
   * Its own allocator; `null` where it has none.
   *
   * @param full Whether all statistics are wanted, for which Bun walks all objects.
   */
  ownAllocator(full: boolean): OwnAllocator | null;
}

function v8Heap(): Required<HeapSize> & { readonly used: number; readonly limit: number } {
  const heap = process.getBuiltinModule("node:v8").getHeapStatistics();
  return {
    used: heap.used_heap_size,
    total: heap.total_heap_size,
    physical: heap.total_physical_size,
    limit: heap.heap_size_limit,
    external: heap.external_memory ?? process.memoryUsage().external,
  };
}

/** Node. */
const NODE: RuntimeMemory = {
  heap: () => ({
    counted: { ...v8Heap(), arrayBuffers: process.memoryUsage().arrayBuffers },
    why: {},
  }),
  heapSize: v8Heap,
  ownAllocator: () => null,
};

/** Deno, whose `memoryUsage().arrayBuffers` is always 0. */
const DENO: RuntimeMemory = {
  heap: () => ({
    counted: v8Heap(),
    why: { arrayBuffers: "Deno does not count array buffers apart: they are in external" },
  }),
  heapSize: v8Heap,
  ownAllocator: () => null,
};

/** What is used of `bun:jsc`. */
interface BunJsc {
  heapSize(): number;
  memoryUsage(): { readonly currentCommit: number };
  heapStats(): { readonly mimalloc: unknown };
}

function bunJsc(): BunJsc {
  return process.getBuiltinModule("bun:jsc") as unknown as BunJsc;
}

function bunHeapSize(): Required<Pick<HeapSize, "total" | "external">> {
  const { heapTotal, external } = process.memoryUsage();
  return { total: heapTotal, external };
}

/** Bun, whose heap's size has in it what objects hold outside of it. */
const BUN: RuntimeMemory = {
  heap() {
    const { total, external } = bunHeapSize();
    const used = Math.max(bunJsc().heapSize() - external, 0);
    return {
      counted: { used, total, external },
      why: {
        physical: "Bun does not count how much of its heap is in memory",
        limit: "Bun sets its heap no limit that it reports",
        arrayBuffers: "Bun counts an array buffer only when it was handed out: external has all",
      },
    };
  },
  heapSize: bunHeapSize,
  ownAllocator(full) {
    const statistics = full ? bunJsc().heapStats().mimalloc : null;
    return { committed: bunJsc().memoryUsage().currentCommit, statistics };
  },
};

/** The runtimes, by name. */
export const RUNTIME_MEMORY: Readonly<Record<string, RuntimeMemory>> = {
  node: NODE,
  deno: DENO,
  bun: BUN,
};
