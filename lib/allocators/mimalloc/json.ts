/**
 * mimalloc's statistics as its `mi_stats_get_json` gives them, in versions 2.2 to 3.7. Names and
 * meanings have changed between them; a release build of most versions writes 0 for what it does not
 * count.
 *
 * @module
 */
import {
  ALLOCATOR_FIGURES,
  type AllocatorFigure,
  type AllocatorFigures,
  figures,
} from "../statistics.ts";
import { compareVersions } from "../version-order.ts";
import { decodeMimallocVersion } from "./version.ts";

/** A count over time; only `current` is there in all versions. */
interface Count {
  readonly total: number;
  readonly current: number;
}

/** What is read of it. */
interface MimallocStatistics {
  readonly mimalloc_version: number;
  readonly committed: Count;
  readonly reserved: Count;
  readonly threads: Count;
  readonly arena_count: number;
  /** Blocks, by the size that is set aside; since 3.6 beside `allocated`. */
  readonly malloc_normal: Count;
  readonly malloc_huge: Count;
  readonly page_committed: Count;
  /** Blocks, by the size that was asked for; since 3.6. */
  readonly allocated?: Count;
  /** Since 3.5 blocks are counted page by page, for all threads. */
  readonly pages_stat_updates?: number;
}

/** The first version that counts the threads itself, and not each thread its own. */
const COUNTS_THREADS = "3.2.7";

const BY_THREAD = "counts it by thread, and adds a thread's up only when that ends";

/** Whether what blocks have is counted, and of all threads. */
function whyNoBlocks(statistics: MimallocStatistics, version: string): string | null {
  if (statistics.malloc_normal.total === 0) {
    return `mimalloc ${version} was built without MI_STAT, or no thread has added up its blocks`;
  }
  if (statistics.pages_stat_updates !== undefined) return null;
  const alone = compareVersions(version, COUNTS_THREADS) >= 0 && statistics.threads.current === 1;
  return alone ? null : `mimalloc ${version} ${BY_THREAD}`;
}

/** The figures that an object of mimalloc's statistics has. */
export function mimallocFigures(given: unknown): AllocatorFigures {
  const statistics = given as MimallocStatistics;
  const version = decodeMimallocVersion(statistics.mimalloc_version);
  const uncounted = `mimalloc ${version} does not count it`;
  const counted: Partial<Record<AllocatorFigure, number>> = {
    mapped: statistics.reserved.current,
    committed: statistics.committed.current,
    arenas: statistics.arena_count,
  };
  const why: Partial<Record<AllocatorFigure, string>> = {
    resident: `${uncounted}: what it calls so is what it has committed`,
    retained: uncounted,
    metadata: uncounted,
    dirty: uncounted,
    muzzy: uncounted,
  };
  const noBlocks = whyNoBlocks(statistics, version);
  if (noBlocks === null) {
    const { malloc_normal: normal, malloc_huge: huge, allocated, page_committed } = statistics;
    counted.allocated = allocated?.current ?? normal.current + huge.current;
    counted.active = page_committed.current;
  } else {
    why.allocated = noBlocks;
    why.active = noBlocks;
  }
  if (compareVersions(version, COUNTS_THREADS) >= 0) counted.threads = statistics.threads.current;
  else why.threads = `mimalloc ${version} ${BY_THREAD}`;
  return figures(ALLOCATOR_FIGURES, counted, why);
}
