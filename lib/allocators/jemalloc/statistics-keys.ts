/**
 * The part of jemalloc's `mallctl` namespace that counts: `stats.*`. `<i>` is an arena's number, 4096
 * for all together; `<j>` that of a size class.
 *
 * @module
 */
import type { MallctlType } from "./value-types.ts";

/** jemalloc's mutexes, whose contention it counts. */
export const MALLCTL_MUTEXES = [
  "stats.mutexes.ctl",
  "stats.mutexes.background_thread",
  "stats.mutexes.prof",
  "stats.mutexes.prof_thds_data",
  "stats.mutexes.prof_dump",
  "stats.arenas.<i>.mutexes.large",
  "stats.arenas.<i>.mutexes.extent_avail",
  "stats.arenas.<i>.mutexes.extents_dirty",
  "stats.arenas.<i>.mutexes.extents_muzzy",
  "stats.arenas.<i>.mutexes.extents_retained",
  "stats.arenas.<i>.mutexes.decay_dirty",
  "stats.arenas.<i>.mutexes.decay_muzzy",
  "stats.arenas.<i>.mutexes.base",
  "stats.arenas.<i>.mutexes.tcache_list",
  "stats.arenas.<i>.bins.<j>.mutex",
] as const;

/** What is counted of each mutex. */
export const MALLCTL_MUTEX_COUNTERS = {
  num_ops: "u64",
  num_wait: "u64",
  num_spin_acq: "u64",
  num_owner_switch: "u64",
  total_wait_time: "u64",
  max_wait_time: "u64",
  max_num_thds: "u32",
} as const satisfies Readonly<Record<string, MallctlType>>;

/** The keys of the mutexes' counters, and the types of their values. */
export type MallctlMutexKeys = {
  readonly [
    Key in `${(typeof MALLCTL_MUTEXES)[number]}.${keyof typeof MALLCTL_MUTEX_COUNTERS}`
  ]: Key extends `${string}.max_num_thds` ? "u32" : "u64";
};

/** The same as a table. */
export const MUTEX_KEYS: MallctlMutexKeys = Object.fromEntries(
  MALLCTL_MUTEXES.flatMap((mutex) =>
    Object.entries(MALLCTL_MUTEX_COUNTERS).map(([counter, type]) => [`${mutex}.${counter}`, type])
  ),
) as MallctlMutexKeys;

/** Keys that count, but for mutexes. */
export const MALLCTL_STATISTICS = {
  "approximate_stats.active": "size",
  "stats.active": "size",
  "stats.allocated": "size",
  "stats.background_thread.num_runs": "u64",
  "stats.background_thread.num_threads": "size",
  "stats.background_thread.run_interval": "u64",
  "stats.mapped": "size",
  "stats.metadata": "size",
  "stats.metadata_thp": "size",
  "stats.resident": "size",
  "stats.retained": "size",
  "stats.zero_reallocs": "size",
  "stats.arenas.<i>.base": "size",
  "stats.arenas.<i>.dirty_decay_ms": "ssize",
  "stats.arenas.<i>.dirty_nmadvise": "u64",
  "stats.arenas.<i>.dirty_npurge": "u64",
  "stats.arenas.<i>.dirty_purged": "u64",
  "stats.arenas.<i>.dss": "string",
  "stats.arenas.<i>.extent_avail": "size",
  "stats.arenas.<i>.internal": "size",
  "stats.arenas.<i>.mapped": "size",
  "stats.arenas.<i>.metadata_thp": "size",
  "stats.arenas.<i>.muzzy_decay_ms": "ssize",
  "stats.arenas.<i>.muzzy_nmadvise": "u64",
  "stats.arenas.<i>.muzzy_npurge": "u64",
  "stats.arenas.<i>.muzzy_purged": "u64",
  "stats.arenas.<i>.nthreads": "unsigned",
  "stats.arenas.<i>.pactive": "size",
  "stats.arenas.<i>.pdirty": "size",
  "stats.arenas.<i>.pmuzzy": "size",
  "stats.arenas.<i>.resident": "size",
  "stats.arenas.<i>.retained": "size",
  "stats.arenas.<i>.tcache_bytes": "size",
  "stats.arenas.<i>.uptime": "u64",
  "stats.arenas.<i>.large.allocated": "size",
  "stats.arenas.<i>.large.ndalloc": "u64",
  "stats.arenas.<i>.large.nfills": "u64",
  "stats.arenas.<i>.large.nflushes": "u64",
  "stats.arenas.<i>.large.nmalloc": "u64",
  "stats.arenas.<i>.large.nrequests": "u64",
  "stats.arenas.<i>.small.allocated": "size",
  "stats.arenas.<i>.small.ndalloc": "u64",
  "stats.arenas.<i>.small.nfills": "u64",
  "stats.arenas.<i>.small.nflushes": "u64",
  "stats.arenas.<i>.small.nmalloc": "u64",
  "stats.arenas.<i>.small.nrequests": "u64",
  "stats.arenas.<i>.bins.<j>.curregs": "size",
  "stats.arenas.<i>.bins.<j>.curslabs": "size",
  "stats.arenas.<i>.bins.<j>.ndalloc": "u64",
  "stats.arenas.<i>.bins.<j>.nfills": "u64",
  "stats.arenas.<i>.bins.<j>.nflushes": "u64",
  "stats.arenas.<i>.bins.<j>.nmalloc": "u64",
  "stats.arenas.<i>.bins.<j>.nonfull_slabs": "size",
  "stats.arenas.<i>.bins.<j>.nrequests": "u64",
  "stats.arenas.<i>.bins.<j>.nreslabs": "u64",
  "stats.arenas.<i>.bins.<j>.nslabs": "u64",
  "stats.arenas.<i>.extents.<j>.dirty_bytes": "size",
  "stats.arenas.<i>.extents.<j>.muzzy_bytes": "size",
  "stats.arenas.<i>.extents.<j>.ndirty": "size",
  "stats.arenas.<i>.extents.<j>.nmuzzy": "size",
  "stats.arenas.<i>.extents.<j>.nretained": "size",
  "stats.arenas.<i>.extents.<j>.retained_bytes": "size",
  "stats.arenas.<i>.lextents.<j>.curlextents": "size",
  "stats.arenas.<i>.lextents.<j>.ndalloc": "u64",
  "stats.arenas.<i>.lextents.<j>.nmalloc": "u64",
  "stats.arenas.<i>.lextents.<j>.nrequests": "u64",
} as const satisfies Readonly<Record<string, MallctlType>>;
