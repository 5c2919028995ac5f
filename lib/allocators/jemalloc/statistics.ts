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

/** Bytes. */
const TOTALS: Readonly<Partial<Record<AllocatorFigure, NumberKey>>> = {
  allocated: "stats.allocated",
  active: "stats.active",
  resident: "stats.resident",
  mapped: "stats.mapped",
  retained: "stats.retained",
  metadata: "stats.metadata",
};

/** Bytes of one arena, which are added up. */
const OF_ARENA: Readonly<Partial<Record<AllocatorFigure, readonly NumberKey[]>>> = {
  allocated: ["stats.arenas.<i>.small.allocated", "stats.arenas.<i>.large.allocated"],
  resident: ["stats.arenas.<i>.resident"],
  mapped: ["stats.arenas.<i>.mapped"],
  retained: ["stats.arenas.<i>.retained"],
  metadata: ["stats.arenas.<i>.base", "stats.arenas.<i>.internal"],
};

/** Numbers of pages, of one arena or of all. */
const PAGES: Readonly<Partial<Record<AllocatorFigure, NumberKey>>> = {
  active: "stats.arenas.<i>.pactive",
  dirty: "stats.arenas.<i>.pdirty",
  muzzy: "stats.arenas.<i>.pmuzzy",
};

const COMMITTED = "jemalloc does not count what is committed";
const UNCOUNTED = "this jemalloc was built without statistics (--disable-stats)";

type Counted = Partial<Record<AllocatorFigure, number>>;

const DECAY_KEYS = ["dirty_decay_ms", "muzzy_decay_ms"] as const;

/** Opens the counters of the jemalloc in an object; `null` for the process itself. */
export function openJemallocStatistics(object: string | null): OpenedStatistics {
  const namespace = new MallctlNamespace(object);
  const page = namespace.read("arenas.page");
  const counts = namespace.read("config.stats");

  function why(): Readonly<Record<string, string>> {
    const reasons = Object.fromEntries(ALLOCATOR_FIGURES.map((name) => [name, UNCOUNTED]));
    return { ...reasons, committed: COMMITTED };
  }

  function addPages(counted: Counted, arena: number): void {
    for (const [name, key] of Object.entries(PAGES)) {
      counted[name as AllocatorFigure] = namespace.read(key, arena) * page;
    }
  }

  /** The numbers of the arenas that are there. */
  function arenas(): number[] {
    return Array.from({ length: namespace.read("arenas.narenas") }, (_, arena) => arena)
      .filter((arena) => namespace.read("arena.<i>.initialized", arena));
  }

  function read(): AllocatorFigures {
    namespace.refresh();
    const counted: Counted = {};
    addPages(counted, ALL_ARENAS);
    if (counts) {
      for (const [name, key] of Object.entries(TOTALS)) {
        counted[name as AllocatorFigure] = namespace.read(key);
      }
    }
    counted.arenas = arenas().length;
    counted.threads = namespace.read("stats.arenas.<i>.nthreads", ALL_ARENAS);
    return figures(ALLOCATOR_FIGURES, counted, why());
  }

  function readArena(arena: number): ArenaFigures {
    const counted: Counted = { threads: namespace.read("stats.arenas.<i>.nthreads", arena) };
    addPages(counted, arena);
    if (counts) {
      for (const [name, keys] of Object.entries(OF_ARENA)) {
        counted[name as AllocatorFigure] = keys.reduce(
          (sum, key) => sum + namespace.read(key, arena),
          0,
        );
      }
    }
    return {
      arena,
      figures: figures(ALLOCATOR_FIGURES, counted, { ...why(), arenas: "this is one of them" }),
    };
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
