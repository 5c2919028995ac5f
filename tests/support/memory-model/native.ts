/**
 * What jemalloc itself counts: memory that offheap has forgotten shows there.
 *
 * @module
 */
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import { ALL_ARENAS } from "../../../lib/allocators/jemalloc/keys.ts";
import { readStatistic, refreshStatistics } from "../../../lib/allocators/jemalloc/mallctl.ts";
import { openAllocator, type OpenOptions } from "../../../mod.ts";

/** Bytes in use in all of jemalloc, with nothing cached; `null` for mimalloc, which has no count. */
export function nativeBytes(options: OpenOptions): number | null {
  const memory = openAllocator(options);
  memory.collect();
  const path = memory.name === "jemalloc" ? memory.library?.path : undefined;
  memory.close();
  if (path === undefined) return null;
  const { mallctl } = JEMALLOC_SYMBOLS;
  const { calls } = ffi().open(path, { mallctl }, JEMALLOC_PREFIX);
  refreshStatistics(calls);
  return readStatistic(calls, "stats.arenas.<i>.small.allocated", ALL_ARENAS) +
    readStatistic(calls, "stats.arenas.<i>.large.allocated", ALL_ARENAS);
}
