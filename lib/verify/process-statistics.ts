/**
 * What the allocator counts that serves this process's `malloc`. It is asked only where it was proven:
 * what another one answers means nothing.
 *
 * @module
 */
import { findAllocator, type ProcessAllocator } from "../allocators/mod.ts";
import { noStatistics, type OpenedStatistics, openOrWhy } from "../allocators/statistics.ts";
import { examineProcess } from "./own-library.ts";
import { pathToOpen, type ProcessFinding } from "./process.ts";

/** Who serves `malloc`, and its counters. */
export interface ProcessStatistics {
  /** Its name. */
  readonly name: ProcessAllocator;
  /** Its version; `null` when it could not be read. */
  readonly version: string | null;
  /** The object file that serves `malloc`; `null` where the system does not say. */
  readonly object: string | null;
  /** Its counters. */
  readonly statistics: OpenedStatistics;
}

const UNPROVEN = "it was not proven which allocator serves malloc in this process";

let opened: { readonly finding: ProcessFinding; readonly found: ProcessStatistics } | undefined;

function open({ allocator, version, verified, object }: ProcessFinding): ProcessStatistics {
  const known = verified ? findAllocator(allocator) : null;
  const statistics = known === null
    ? noStatistics(UNPROVEN, UNPROVEN)
    : openOrWhy(() => known.openStatistics(pathToOpen(object)));
  return { name: allocator, version, object, statistics };
}

/** Opens them at the first call, and keeps them. */
export function processStatistics(): ProcessStatistics {
  const finding = examineProcess();
  if (opened?.finding !== finding) {
    opened?.found.statistics.close();
    opened = { finding, found: open(finding) };
  }
  return opened.found;
}
