/**
 * The `mallctl` keys that offheap uses: one row a key, from which calls and reports are made.
 * Meaning and units are those of jemalloc's manual, `jemalloc(3)`, "MALLCTL NAMESPACE".
 *
 * @module
 */

/** How a value is laid out in memory. */
export type MallctlType = "string" | "bool" | "unsigned" | "size" | "ssize" | "u64";

/** One row. */
export interface MallctlKey {
  /** How the value is laid out in memory. */
  readonly type: MallctlType;
  /** The value's unit, for reports; `null` for a plain value. */
  readonly unit: "bytes" | "ms" | null;
  /** What it says. */
  readonly doc: string;
}

/** Keys that are read, by their mallctl names. */
export const MALLCTL_KEYS = {
  "version": { type: "string", unit: null, doc: "jemalloc's version" },
  "config.stats": { type: "bool", unit: null, doc: "built with statistics" },
  "thread.allocated": {
    type: "u64",
    unit: "bytes",
    doc: "bytes that the calling thread has ever allocated",
  },
  "opt.abort": { type: "bool", unit: null, doc: "abort on most warnings" },
  "opt.narenas": { type: "unsigned", unit: null, doc: "most arenas for automatic use" },
  "background_thread": {
    type: "bool",
    unit: null,
    doc: "whether background threads purge: offheap's shim starts them later than the option would",
  },
  "opt.dirty_decay_ms": {
    type: "ssize",
    unit: "ms",
    doc: "time until unused dirty pages are purged; -1 never",
  },
  "opt.muzzy_decay_ms": {
    type: "ssize",
    unit: "ms",
    doc: "time until unused muzzy pages are purged; -1 never",
  },
  "opt.metadata_thp": { type: "string", unit: null, doc: "huge pages for metadata" },
  "opt.thp": { type: "string", unit: null, doc: "transparent huge pages" },
  "opt.retain": { type: "bool", unit: null, doc: "keep unused virtual memory for later use" },
  "opt.tcache": { type: "bool", unit: null, doc: "thread caches" },
  "opt.tcache_max": { type: "size", unit: "bytes", doc: "largest size class in thread caches" },
  "opt.percpu_arena": { type: "string", unit: null, doc: "arenas by processor" },
  "opt.oversize_threshold": {
    type: "size",
    unit: "bytes",
    doc: "size from which an allocation gets the arena for huge ones",
  },
  "opt.zero": { type: "bool", unit: null, doc: "fill new memory with zeros" },
  "opt.junk": { type: "string", unit: null, doc: "fill memory with junk" },
  "opt.prof": { type: "bool", unit: null, doc: "heap profiling" },
} as const satisfies Readonly<Record<string, MallctlKey>>;

/** The name of a key that is read. */
export type MallctlName = keyof typeof MALLCTL_KEYS;

/** The keys of options that a report shows: as they are now, where they can change. */
export const OPTION_KEYS: readonly MallctlName[] = Object.keys(MALLCTL_KEYS)
  .filter((key): key is MallctlName => key.startsWith("opt.") || key === "background_thread");

/** Keys that are read and are not options; `<i>` is an arena's number. */
export const STATISTICS_KEYS = {
  "arenas.create": { type: "unsigned", unit: null, doc: "makes an arena and gives its number" },
  "stats.arenas.<i>.small.allocated": {
    type: "size",
    unit: "bytes",
    doc: "bytes in small blocks of an arena",
  },
  "stats.arenas.<i>.large.allocated": {
    type: "size",
    unit: "bytes",
    doc: "bytes in large blocks of an arena",
  },
  "stats.arenas.<i>.resident": {
    type: "size",
    unit: "bytes",
    doc: "maximum of bytes that an arena has in physical pages, metadata included",
  },
  "stats.arenas.<i>.mapped": {
    type: "size",
    unit: "bytes",
    doc: "bytes in active extents that an arena has mapped",
  },
} as const satisfies Readonly<Record<string, MallctlKey>>;

/** Keys that do something and have no value; `<i>` is an arena's number. */
export const COMMAND_KEYS = {
  "thread.tcache.flush": "gives back what the calling thread has cached",
  "arena.<i>.purge": "gives an arena's unused pages back to the system",
  "arena.<i>.reset": "ends all blocks of an arena, which can be used again",
  "arena.<i>.destroy": "gives all of an arena's memory back, its blocks included",
} as const satisfies Readonly<Record<string, string>>;

/** A counter that any value written to it advances: statistics are refreshed then. */
export const EPOCH_KEY = "epoch";

/** The number that means all arenas together: `MALLCTL_ARENAS_ALL`. */
export const ALL_ARENAS = 4096;

/** Asks for the arena that owns the address given as its new value; an error when none does. */
export const ARENA_LOOKUP_KEY = "arenas.lookup";
