/**
 * What the allocators count that this thread has opened for blocks: one each, however often it was
 * opened. They stay, as their libraries do.
 *
 * @module
 */
import { type AllocatorName, allocatorNamed } from "../allocators/mod.ts";
import { type OpenedStatistics, openOrWhy } from "../allocators/statistics.ts";
import { processStatistics } from "../verify/process-statistics.ts";
import type { OwnBlocks } from "../verify/own-blocks.ts";

/** An allocator that is open. */
export interface OpenedAllocator {
  /** Its name. */
  readonly name: AllocatorName;
  /** Its version; `null` when it could not be read. */
  readonly version: string | null;
  /** Its library's path. */
  readonly path: string;
  /** Its counters, opened at the first call. */
  readonly statistics: () => OpenedStatistics;
}

const opened = new Map<string, OpenedAllocator>();

/** Those that were opened, by their libraries; the system's allocator is not among them. */
export function openedAllocators(): readonly OpenedAllocator[] {
  return [...opened.values()];
}

/** The counters of an allocator; the system's blocks are those of whoever serves `malloc`. */
export function countersOf({ name, version, resolved }: OwnBlocks): () => OpenedStatistics {
  if (resolved === null) return () => processStatistics().statistics;
  const { path } = resolved;
  const known = opened.get(path);
  if (known !== undefined) return known.statistics;
  let kept: OpenedStatistics | undefined;
  const statistics = (): OpenedStatistics =>
    kept ??= openOrWhy(() => allocatorNamed(name).openStatistics(path));
  opened.set(path, { name, version, path, statistics });
  return statistics;
}
