/**
 * Building the libraries of one target and variant into one directory.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Variant } from "../../lib/library/manifest.ts";
import type { Target } from "../../lib/library/target.ts";
import { buildOne } from "./build-one.ts";
import { lockDirectory } from "./store/lock.ts";
import { removeLeftovers, requireSpace, TEMPORARY_PREFIX } from "./store/output.ts";
import { findCurrent, type Plan } from "./plan/libraries.ts";
import { isNoSpace, noSpace } from "./toolchain/shell.ts";
import { requirePrograms } from "./toolchain/compiler.ts";
import type { BuildProgress, BuildResult, Source, Toolchain } from "./types.ts";

/** Libraries of one target and variant. */
export interface BuildSet {
  /** The libraries. */
  readonly plans: readonly Plan[];
  /** Where they go. */
  readonly outDirectory: string;
  /** The variant. */
  readonly variant: Variant;
  /** The target. */
  readonly target: Target;
  /** Whether a library that this compiler made will do. */
  readonly accepts: (compiler: string) => boolean;
  /** Builds also what is up to date. */
  readonly force: boolean;
}

/** What is the same for all sets of a build. */
export interface Workshop {
  /** The environment of the tools. */
  readonly environment: Readonly<Record<string, string>>;
  /** Told of the steps. */
  readonly progress: BuildProgress;
  /** Ends the work. */
  readonly signal?: AbortSignal | undefined;
  /** Gets the sources of libraries, with a directory to work in that is removed later. */
  readonly fetch: (plans: readonly Plan[], temporary: string) => Promise<Map<Plan, Source>>;
}

/** The set's results when nothing has to be done; `null` when something has. */
export function findSet(set: BuildSet): BuildResult[] | null {
  if (set.force) return null;
  const found = set.plans.map((plan) => findCurrent(plan, set));
  return found.every((result) => result !== null) ? found : null;
}

/** The libraries of a set that are missing or out of date. */
export function missingPlans(set: BuildSet): Plan[] {
  return set.force ? [...set.plans] : set.plans.filter((plan) => findCurrent(plan, set) === null);
}

/** Runs `use` with a directory that is locked, and a temporary one in it. */
export async function inDirectory<R>(
  directory: string,
  workshop: Pick<Workshop, "progress" | "signal">,
  use: (temporary: string, signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const wait = (): void =>
    workshop.progress.note(`Another build is at work in "${directory}"; waiting for it.`);
  const lock = await lockDirectory(directory, wait, workshop.signal);
  const signals = workshop.signal === undefined ? [lock.lost] : [lock.lost, workshop.signal];
  try {
    removeLeftovers(directory);
    const temporary = mkdtempSync(join(directory, TEMPORARY_PREFIX));
    try {
      return await use(temporary, AbortSignal.any(signals));
    } catch (error) {
      throw isNoSpace(error) ? noSpace("build", directory) : error;
    } finally {
      rmSync(temporary, { recursive: true, force: true, maxRetries: 10 });
    }
  } finally {
    await lock.release();
  }
}

/**
 * Builds what is missing or out of date in a set.
 *
 * @param shared A directory for what the variants of a target have in common.
 * @throws {BuildError} when a step fails; what was finished before it stays.
 */
export async function buildSet(
  set: BuildSet,
  toolchain: Toolchain,
  workshop: Workshop,
  shared: string | null = null,
): Promise<BuildResult[]> {
  return await inDirectory(set.outDirectory, workshop, async (temporary, signal) => {
    const environment = { ...workshop.environment, ...toolchain.environment };
    // Another build may have made them while this one waited for the lock.
    const missing = missingPlans(set);
    await requirePrograms(missing.flatMap((plan) => plan.recipe.tools), environment, "build");
    const space = missing.reduce((sum, plan) => sum + plan.recipe.space, 0);
    requireSpace(set.outDirectory, space);
    const sources = await workshop.fetch(missing, temporary);
    const results: BuildResult[] = [];
    for (const plan of set.plans) {
      const source = missing.includes(plan) ? sources.get(plan) : undefined;
      // What was fetched may be what is there, though another one is preferred.
      const current = source === undefined
        ? findCurrent(plan, set)
        : set.force
        ? null
        : findCurrent(plan, set, [source.identity]);
      const context = { ...set, ...workshop, toolchain, shared, environment, temporary, signal };
      results.push(current ?? await buildOne(plan.recipe, sourceOf(source), context));
      workshop.progress.done({
        name: plan.recipe.name,
        target: set.target.name,
        variant: set.variant,
      });
    }
    return results;
  });
}

function sourceOf(source: Source | undefined): Source {
  if (source === undefined) throw new TypeError("Cannot build: a library has no source");
  return source;
}
