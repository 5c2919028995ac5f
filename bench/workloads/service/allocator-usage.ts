/**
 * What the allocator that serves this process's `malloc` has handed out and holds back, by its own
 * counters: those of the preloaded library or of libc, not those of offheap's own blocks.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { findAllocator } from "../../../lib/allocators/mod.ts";
import type { ProcessAllocator } from "../../../mod.ts";

/** One reading, in bytes; `null` for what the allocator does not report. */
export interface AllocatorUsage {
  /** Handed out. */
  readonly live: number | null;
  /** In physical memory, or near it, and not handed out. */
  readonly held: number | null;
  /** Both. */
  readonly total: number | null;
}

/** Reads the counters now; some tenths of a millisecond. */
export type UsageReader = () => AllocatorUsage;

const UNKNOWN: AllocatorUsage = { live: null, held: null, total: null };

/** The reader for who was proven to serve `malloc`; of others nothing is known. */
export function openUsage(allocator: ProcessAllocator): UsageReader {
  const statistics = findAllocator(allocator)?.openStatistics(null);
  if (statistics === undefined) return () => UNKNOWN;
  return () => {
    const { allocated: live = null, resident, mapped, committed } = statistics.read();
    // What is in memory, or else what comes nearest to it: glibc counts its arenas, mimalloc what it
    // has committed.
    const total = resident ?? (live === null ? committed : mapped) ?? null;
    return { live, held: live === null || total === null ? null : total - live, total };
  };
}

/** Above what any allocator here keeps ready: such a buffer makes the sum grow. */
const PROBE_BYTES = 64 * 2 ** 20;

/** Whether the runtime takes its buffers from the allocator; `null` where it cannot be asked. */
export function holdsBuffers(read: UsageReader): boolean | null {
  const before = read().total;
  const buffer = Buffer.alloc(PROBE_BYTES);
  const after = read().total;
  if (before === null || after === null) return null;
  return after - before >= buffer.length / 2;
}
