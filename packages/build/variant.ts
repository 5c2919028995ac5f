/**
 * Building the libraries of one target and variant into one directory.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildLibrary } from "./library.ts";
import { lockDirectory } from "./store/lock.ts";
import { removeLeftovers, requireSpace, TEMPORARY_PREFIX } from "./store/output.ts";
import { findCurrent } from "./plan/libraries.ts";
import { isNoSpace, noSpace } from "./toolchain/shell.ts";
import { requirePrograms } from "./toolchain/compiler.ts";
import type {
  BuildContext,
  BuildResult,
  LibraryPlan,
  Source,
  Toolchain,
  VariantPlan,
} from "./types.ts";

/** Gets the sources of libraries, with a directory to work in that is removed later. */
export type FetchSources = (
  libraries: readonly LibraryPlan[],
  temporary: string,
) => Promise<Map<LibraryPlan, Source>>;

/** The results when nothing has to be done; `null` when something has. */
export function findVariant(plan: VariantPlan): BuildResult[] | null {
  if (plan.force) return null;
  const found = plan.libraries.map((library) => findCurrent(library, plan));
  return found.every((result) => result !== null) ? found : null;
}

/** The libraries that are missing or out of date. */
export function missingLibraries(plan: VariantPlan): LibraryPlan[] {
  const { libraries, force } = plan;
  return libraries.filter((library) => force || findCurrent(library, plan) === null);
}

/** Runs `use` with a directory that is locked, and a temporary one in it. */
export async function inDirectory<R>(
  directory: string,
  context: BuildContext,
  use: (temporary: string, signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const wait = (): void =>
    context.progress.note(`Another build is at work in "${directory}"; waiting for it.`);
  const lock = await lockDirectory(directory, wait, context.signal);
  const signals = context.signal === undefined ? [lock.lost] : [lock.lost, context.signal];
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
 * Builds what is missing or out of date of a variant.
 *
 * @param fetch Gets the sources.
 * @param shared A directory for what the variants of a target have in common.
 * @throws {BuildError} when a step fails; what was finished before it stays.
 */
export async function buildVariant(
  plan: VariantPlan,
  toolchain: Toolchain,
  context: BuildContext,
  fetch: FetchSources,
  shared: string | null = null,
): Promise<BuildResult[]> {
  return await inDirectory(plan.outDirectory, context, async (temporary, signal) => {
    const environment = { ...context.environment, ...toolchain.environment };
    // Another build may have made them while this one waited for the lock.
    const missing = missingLibraries(plan);
    await requirePrograms(missing.flatMap(({ recipe }) => recipe.tools), environment, "build");
    const space = missing.reduce((sum, { recipe }) => sum + recipe.space, 0);
    requireSpace(plan.outDirectory, space);
    const sources = await fetch(missing, temporary);
    const results: BuildResult[] = [];
    const within = { ...context, environment, signal };
    for (const library of plan.libraries) {
      const source = missing.includes(library) ? sources.get(library) : undefined;
      // What was fetched may be what is there, though another one is preferred.
      const current = source === undefined
        ? findCurrent(library, plan)
        : plan.force
        ? null
        : findCurrent(library, plan, [source.identity]);
      const { recipe } = library;
      const place = { plan, toolchain, temporary, shared };
      results.push(current ?? await buildLibrary(recipe, sourceOf(source), place, within));
      const { target, variant } = plan;
      context.progress.done({ name: recipe.name, target: target.name, variant });
    }
    return results;
  });
}

function sourceOf(source: Source | undefined): Source {
  if (source === undefined) throw new TypeError("Cannot build: a library has no source");
  return source;
}
