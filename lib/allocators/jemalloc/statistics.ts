/**
 * What jemalloc counts, in the shape that all allocators share.
 *
 * @module
 */
import {
  ALLOCATOR_FIGURES,
  type AllocatorFigure,
  type AllocatorFigures,
  type ArenaFigures,
  figures,
  type OpenedStatistics,
} from "../statistics.ts";
import { ALL_ARENAS } from "./keys.ts";
import { MallctlNamespace, type NumberKey } from "./namespace.ts";

type Row<K> = readonly [name: AllocatorFigure, key: K];

/** Bytes. */
const TOTALS: readonly Row<NumberKey>[] = [
  ["allocated", "stats.allocated"],
  ["resident", "stats.resident"],
  ["mapped", "stats.mapped"],
  ["retained", "stats.retained"],
  ["metadata", "stats.metadata"],
];

/** Bytes of one arena, which are added up. */
const OF_ARENA: readonly Row<readonly NumberKey[]>[] = [
  ["allocated", ["stats.arenas.<i>.small.allocated", "stats.arenas.<i>.large.allocated"]],
  ["resident", ["stats.arenas.<i>.resident"]],
  ["mapped", ["stats.arenas.<i>.mapped"]],
  ["retained", ["stats.arenas.<i>.retained"]],
  ["metadata", ["stats.arenas.<i>.base", "stats.arenas.<i>.internal"]],
];

/** Numbers of pages, of one arena or of all. */
const PAGES: readonly Row<NumberKey>[] = [
  ["dirty", "stats.arenas.<i>.pdirty"],
  ["muzzy", "stats.arenas.<i>.pmuzzy"],
];

const UNCOUNTED = "this jemalloc was built without statistics (--disable-stats)";

const WHY: Readonly<Record<AllocatorFigure, string>> = {
  ...Object.fromEntries(ALLOCATOR_FIGURES.map((name) => [name, UNCOUNTED])) as Record<
    AllocatorFigure,
    string
  >,
  committed: "jemalloc does not count what is committed",
};
const WHY_OF_ARENA = { ...WHY, arenas: "this is one of them" };

type Counted = Partial<Record<AllocatorFigure, number>>;

const DECAY_KEYS = ["dirty_decay_ms", "muzzy_decay_ms"] as const;

/** Opens the counters of the jemalloc in an object; `null` for the process itself. */
export function openJemallocStatistics(object: string | null): OpenedStatistics {
  const namespace = new MallctlNamespace(object);
  const page = namespace.read("arenas.page");
  const counts = namespace.read("config.stats");

  function addPages(counted: Counted, arena: number): void {
    for (const [name, key] of PAGES) counted[name] = namespace.read(key, arena) * page;
    // Of a jemalloc without statistics, what it knows for its own ends.
    counted.active = namespace.read("stats.arenas.<i>.pactive", arena) * page;
    counted.threads = namespace.read("stats.arenas.<i>.nthreads", arena);
  }

  /** The numbers of the arenas that are there. */
  function arenas(): number[] {
    const found: number[] = [];
    const most = namespace.read("arenas.narenas");
    for (let arena = 0; arena < most; arena++) {
      if (namespace.read("arena.<i>.initialized", arena)) found.push(arena);
    }
    return found;
  }

  function read(): AllocatorFigures {
    namespace.refresh();
    const counted: Counted = {};
    addPages(counted, ALL_ARENAS);
    if (counts) { for (const [name, key] of TOTALS) counted[name] = namespace.read(key); }
    counted.arenas = arenas().length;
    return figures(ALLOCATOR_FIGURES, counted, WHY);
  }

  function readArena(arena: number): ArenaFigures {
    const counted: Counted = {};
    addPages(counted, arena);
    for (const [name, keys] of counts ? OF_ARENA : []) {
      counted[name] = keys.reduce((sum, key) => sum + namespace.read(key, arena), 0);
    }
    return { arena, figures: figures(ALLOCATOR_FIGURES, counted, WHY_OF_ARENA) };
  }

  return {
    read,
    readArenas() {
      namespace.refresh();
      return arenas().map(readArena);
    },
    purge() {
      namespace.run("arena.<i>.purge", ALL_ARENAS);
      return null;
    },
    decay(milliseconds) {
      const there = arenas();
      for (const key of DECAY_KEYS) {
        const value = milliseconds < 0 ? namespace.read(`opt.${key}`) : milliseconds;
        // For arenas that are made from now on, and for those that are there.
        namespace.write(`arenas.${key}`, value);
        for (const arena of there) namespace.write(`arena.<i>.${key}`, value, arena);
      }
      return null;
    },
    collect() {
      namespace.run("thread.tcache.flush");
      namespace.run("arena.<i>.purge", ALL_ARENAS);
      return null;
    },
    close: () => namespace.close(),
  };
}
