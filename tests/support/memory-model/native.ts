/**
 * What jemalloc itself counts: memory that offheap has forgotten shows there.
 *
 * @module
 */
import { openJemallocStatistics } from "../../../lib/allocators/jemalloc/statistics.ts";
import { openAllocator, type OpenOptions } from "../../../mod.ts";

/** Bytes in use in all of jemalloc, with nothing cached; `null` for mimalloc, which has no count. */
export function nativeBytes(options: OpenOptions): number | null {
  const memory = openAllocator(options);
  memory.collect();
  const path = memory.name === "jemalloc" ? memory.library?.path : undefined;
  memory.close();
  if (path === undefined) return null;
  const statistics = openJemallocStatistics(path);
  try {
    return statistics.read().allocated ?? null;
  } finally {
    statistics.close();
  }
}
