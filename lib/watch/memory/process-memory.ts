/**
 * One snapshot of this process's memory.
 *
 * @module
 */
import { missingFlags, runtimeMemory } from "../../../ffi/mod.ts";
import type { Permission } from "../../../ffi/types.ts";
import { findAllocator } from "../../allocators/mod.ts";
import { ALLOCATOR_FIGURES, figures, noFigures, readOrWhy } from "../../allocators/statistics.ts";
import { OffheapError } from "../../errors.ts";
import { openedAllocators } from "../../memory/counters.ts";
import { ownOptions, requireFlag } from "../../options.ts";
import { LIBRARIES } from "../../permissions.ts";
import { processStatistics } from "../../verify/process-statistics.ts";
import { runtimeAllocator } from "../../verify/verify.ts";
import { fragmentationOf } from "./fragmentation.ts";
import { openGroupFigures, readGroupFigures } from "./group.ts";
import { readKernelFigures, runtimeFigures } from "./kernel.ts";
import { partsOf } from "./parts.ts";
import {
  type CountedAllocator,
  type Fragmentation,
  type GroupFigures,
  JAVASCRIPT_FIGURES,
  type JavaScriptFigures,
  type ProcessMemory,
} from "./types.ts";

/** What `/proc` and `/sys` need. */
const PROC: readonly Permission[] = ["all"];

/** How much of it is read. */
export interface ProcessMemoryOptions {
  /**
   * Also what is slow to count: the kernel then walks all pages, for `pss` and `anonHugePages`, and
   * Bun all objects, for what its own allocator counts. That is some 10 ms for each 100 MiB, or for
   * each 50,000 objects; `false` by default.
   */
  readonly full?: boolean | undefined;
}

/** What the allocators and the kernel count, and nothing that was worked out of it. */
type Counted = Pick<ProcessMemory, "allocator" | "own" | "runtimeAllocator" | "kernel">;

/** What is known, or why it is not: the permissions that are missing are not asked for. */
function orWhy<R, W>(
  needs: readonly Permission[],
  read: () => R,
  without: (why: string) => W,
): R | W {
  const flags = missingFlags(needs);
  if (flags.length > 0) {
    return without(`the runtime does not permit it: start it with ${flags.join(" ")}`);
  }
  try {
    return read();
  } catch (error) {
    if (error instanceof OffheapError) return without(error.message);
    throw error;
  }
}

interface Served extends CountedAllocator {
  readonly object: string | null;
}

function readServing(): Served {
  const { name, version, object, statistics } = processStatistics();
  return { name, version, object, figures: readOrWhy(statistics) };
}

/** An allocator that serves `malloc` and was opened besides is one. */
function readOwn(serving: string | null): CountedAllocator[] {
  return openedAllocators().filter(({ path }) => path !== serving)
    .map(({ name, version, statistics }) => ({ name, version, figures: readOrWhy(statistics()) }));
}

function readRuntimeAllocator(full: boolean): CountedAllocator | null {
  const own = runtimeAllocator();
  const read = own === null ? null : runtimeMemory().ownAllocator(full);
  if (own === null || read === null) return null;
  const { name, version } = own;
  const known = read.statistics === null ? null : findAllocator(name)?.figuresOf ?? null;
  const found = known?.(read.statistics) ?? figures(
    ALLOCATOR_FIGURES,
    { committed: read.committed },
    "the runtime walks all of its objects for it: ask with { full: true }",
  );
  return { name, version, figures: found };
}

function readJavaScript(): JavaScriptFigures {
  const { counted, why } = runtimeMemory().heap();
  return figures(JAVASCRIPT_FIGURES, counted, why);
}

/**
 * Reads where this process's memory is: what its allocators, the kernel, the JavaScript runtime and
 * the control group count. Each figure is a number that was counted, or is left out with its reason
 * in `absent`. The figures of the runtime are those of the thread that asks; all others are the
 * process's.
 *
 * The first call in a thread finds out who serves `malloc`, as {@linkcode verifyAllocator} does.
 *
 * @throws {TypeError} for bad options.
 * @example
 * ```ts
 * import { processMemory } from "@offheap/offheap";
 *
 * const { kernel, javascript, allocator, fragmentation, parts } = processMemory();
 * console.log(kernel.rss, javascript.used, allocator.name, allocator.figures.allocated);
 * console.log(fragmentation.mem_fragmentation_ratio ?? fragmentation.absent.mem_fragmentation_ratio);
 * for (const { name, bytes } of parts) console.log(name, bytes);
 * ```
 */
export function processMemory(options: ProcessMemoryOptions = {}): ProcessMemory {
  const action = "read this process's memory";
  const { full = false } = ownOptions(action, options, ["full"]);
  requireFlag(action, "full", full);
  const counted = readCounted(full);
  const memory = { ...counted, javascript: readJavaScript() };
  return {
    at: Date.now(),
    ...memory,
    fragmentation: readFragmentation(counted),
    parts: partsOf(memory),
    group: orWhy(PROC, readGroupFigures, (why) => why),
  };
}

/** What metrics are made of: {@linkcode processMemory} without what they leave out and the group. */
export function readForMetrics(): Counted & Pick<ProcessMemory, "parts"> {
  const counted = readCounted(false);
  return { ...counted, parts: partsOf({ ...counted, javascript: runtimeMemory().heapSize() }) };
}

/** Looks for the limits of this process's control group, as {@linkcode openGroupFigures} does. */
export function openOwnGroup(): () => GroupFigures | string {
  const group = orWhy(PROC, openGroupFigures, (why) => why);
  return typeof group === "string" ? () => group : () => orWhy(PROC, group, (why) => why);
}

/** What the allocators and the kernel count. */
function readCounted(full: boolean): Counted {
  const { object, ...allocator }: Served = orWhy(LIBRARIES, readServing, (why) => ({
    name: "unknown",
    version: null,
    object: null,
    figures: noFigures(why),
  }));
  return {
    allocator,
    own: readOwn(object),
    runtimeAllocator: readRuntimeAllocator(full),
    kernel: orWhy(PROC, () => readKernelFigures({ full }), runtimeFigures),
  };
}

function readFragmentation({ allocator, own, runtimeAllocator, kernel }: Counted): Fragmentation {
  return fragmentationOf(
    [allocator, ...own].map(({ figures }) => figures),
    runtimeAllocator === null
      ? kernel.rss ?? kernel.absent.rss ?? ""
      : `most of it is in the runtime's own ${runtimeAllocator.name}, and not in the allocator's`,
  );
}
