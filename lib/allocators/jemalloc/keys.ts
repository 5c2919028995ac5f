/**
 * jemalloc's `mallctl` namespace: one row a key, from which calls, types and reports are made. Meaning
 * and units are those of jemalloc's manual, `jemalloc(3)`, "MALLCTL NAMESPACE". A jemalloc that has no
 * such key, for its version or how it was built, answers with the error number 2 (`ENOENT`).
 *
 * @module
 */
import { MALLCTL_STATISTICS, type MallctlMutexKeys, MUTEX_KEYS } from "./statistics-keys.ts";
import type { MallctlType, WritableType } from "./value-types.ts";

/** Keys that are read and do not count; `<i>` is the number of an arena or a size class. */
export const MALLCTL_SETTINGS = {
  "version": "string",
  "background_thread": "bool",
  "max_background_threads": "size",
  "config.cache_oblivious": "bool",
  "config.debug": "bool",
  "config.fill": "bool",
  "config.lazy_lock": "bool",
  "config.malloc_conf": "string",
  "config.opt_safety_checks": "bool",
  "config.prof": "bool",
  "config.prof_libgcc": "bool",
  "config.prof_libunwind": "bool",
  "config.stats": "bool",
  "config.utrace": "bool",
  "config.xmalloc": "bool",
  "opt.abort": "bool",
  "opt.abort_conf": "bool",
  "opt.background_thread": "bool",
  "opt.cache_oblivious": "bool",
  "opt.confirm_conf": "bool",
  "opt.dirty_decay_ms": "ssize",
  "opt.dss": "string",
  "opt.junk": "string",
  "opt.lg_extent_max_active_fit": "size",
  "opt.lg_prof_interval": "ssize",
  "opt.lg_prof_sample": "size",
  "opt.max_background_threads": "size",
  "opt.metadata_thp": "string",
  "opt.muzzy_decay_ms": "ssize",
  "opt.narenas": "unsigned",
  "opt.oversize_threshold": "size",
  "opt.percpu_arena": "string",
  "opt.prof": "bool",
  "opt.prof_accum": "bool",
  "opt.prof_active": "bool",
  "opt.prof_final": "bool",
  "opt.prof_gdump": "bool",
  "opt.prof_leak": "bool",
  "opt.prof_prefix": "string",
  "opt.prof_thread_active_init": "bool",
  "opt.retain": "bool",
  "opt.stats_interval": "i64",
  "opt.stats_interval_opts": "string",
  "opt.stats_print": "bool",
  "opt.stats_print_opts": "string",
  "opt.tcache": "bool",
  "opt.tcache_max": "size",
  "opt.thp": "string",
  "opt.trust_madvise": "bool",
  "opt.utrace": "bool",
  "opt.xmalloc": "bool",
  "opt.zero": "bool",
  "opt.zero_realloc": "string",
  "thread.allocated": "u64",
  "thread.arena": "unsigned",
  "thread.deallocated": "u64",
  "thread.peak.read": "u64",
  "thread.prof.active": "bool",
  "thread.prof.name": "string",
  "thread.tcache.enabled": "bool",
  "thread.tcache.max": "size",
  "arena.<i>.dirty_decay_ms": "ssize",
  "arena.<i>.dss": "string",
  "arena.<i>.initialized": "bool",
  "arena.<i>.muzzy_decay_ms": "ssize",
  "arena.<i>.retain_grow_limit": "size",
  "arenas.bin.<i>.nregs": "u32",
  "arenas.bin.<i>.nshards": "u32",
  "arenas.bin.<i>.size": "size",
  "arenas.bin.<i>.slab_size": "size",
  "arenas.dirty_decay_ms": "ssize",
  "arenas.hugepage": "size",
  "arenas.lextent.<i>.size": "size",
  "arenas.muzzy_decay_ms": "ssize",
  "arenas.narenas": "unsigned",
  "arenas.nbins": "unsigned",
  "arenas.nhbins": "unsigned",
  "arenas.nlextents": "unsigned",
  "arenas.page": "size",
  "arenas.quantum": "size",
  "arenas.tcache_max": "size",
  "prof.active": "bool",
  "prof.gdump": "bool",
  "prof.interval": "u64",
  "prof.lg_sample": "size",
  "prof.thread_active_init": "bool",
} as const satisfies Readonly<Record<string, MallctlType>>;

/** The type of each key that is read. */
export type MallctlKeys =
  & typeof MALLCTL_SETTINGS
  & typeof MALLCTL_STATISTICS
  & MallctlMutexKeys;

/** Keys that are read, by their mallctl names. */
export const MALLCTL_KEYS: MallctlKeys = {
  ...MALLCTL_SETTINGS,
  ...MALLCTL_STATISTICS,
  ...MUTEX_KEYS,
};

/** The name of a key that is read. */
export type MallctlName = keyof MallctlKeys;

/**
 * Keys that are written. Some of them cannot be read. `thread.arena` is not among them: a thread in the
 * arena of a heap would lose its memory with the heap.
 */
export const MALLCTL_WRITABLE_KEYS = {
  "background_thread": "bool",
  "max_background_threads": "size",
  "thread.prof.active": "bool",
  "thread.prof.name": "string",
  "thread.tcache.enabled": "bool",
  "thread.tcache.max": "size",
  "arena.<i>.dirty_decay_ms": "ssize",
  "arena.<i>.dss": "string",
  "arena.<i>.muzzy_decay_ms": "ssize",
  "arena.<i>.retain_grow_limit": "size",
  "arenas.dirty_decay_ms": "ssize",
  "arenas.muzzy_decay_ms": "ssize",
  "prof.active": "bool",
  "prof.dump": "string",
  "prof.gdump": "bool",
  "prof.prefix": "string",
  "prof.reset": "size",
  "prof.thread_active_init": "bool",
} as const satisfies Readonly<Record<string, WritableType>>;

/** The name of a key that is written. */
export type WritableMallctl = keyof typeof MALLCTL_WRITABLE_KEYS;

/** Keys that do something and have no value. */
export const MALLCTL_COMMANDS = [
  "thread.idle",
  "thread.peak.reset",
  "thread.tcache.flush",
  "arena.<i>.decay",
  "arena.<i>.purge",
  "stats.mutexes.reset",
] as const;

/** The name of such a key. */
export type MallctlCommand = (typeof MALLCTL_COMMANDS)[number];

/** What only offheap's heaps may do: it ends blocks that others have. */
export type HeapCommand = "arena.<i>.reset" | "arena.<i>.destroy";

/** The options that a report shows: as they are now, where they can change. */
export const REPORTED_KEYS: readonly MallctlName[] = [
  "opt.abort",
  "opt.narenas",
  // Whether background threads purge: offheap's shim starts them later than the option would.
  "background_thread",
  "opt.dirty_decay_ms",
  "opt.muzzy_decay_ms",
  "opt.metadata_thp",
  "opt.thp",
  "opt.retain",
  "opt.tcache",
  "opt.tcache_max",
  "opt.percpu_arena",
  "opt.oversize_threshold",
  "opt.zero",
  "opt.junk",
  "opt.prof",
];

/** Makes an arena and gives its index. */
export const ARENA_CREATE_KEY = "arenas.create";

/** A counter that any value written to it advances: statistics are refreshed then. */
export const EPOCH_KEY = "epoch";

/** The number that means all arenas together: `MALLCTL_ARENAS_ALL`. */
export const ALL_ARENAS = 4096;

/** Asks for the arena that owns the address given as its new value; an error when none does. */
export const ARENA_LOOKUP_KEY = "arenas.lookup";
