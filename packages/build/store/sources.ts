/**
 * Getting the sources of all libraries of a build.
 *
 * @module
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { BuildError } from "../../../lib/errors.ts";
import { cacheDirectory, cachedSourcesDirectory } from "../../../lib/library/directories.ts";
import { DebianSources } from "./debian.ts";
import type { BuildContext, BuildOptions, LibraryPlan, Source } from "../types.ts";

/** The user's cache; `null` when the environment names no home. */
export function cacheOf(options: BuildOptions): string | null {
  const cache = options.cacheDirectory ??
    cacheDirectory(options.environment ?? process.env, process.platform);
  return cache === null ? null : resolve(cache);
}

/**
 * The user's cache, for source archives and for what zig made before.
 *
 * @throws {BuildError} when the environment names no place for it.
 */
export function requireCache(options: BuildOptions): string {
  const cache = cacheOf(options);
  if (cache !== null) return cache;
  throw new BuildError(
    "Cannot build: there is no directory for the source archives. Set HOME or XDG_CACHE_HOME.",
  );
}

/**
 * Gets all sources at once, and lets each of them end before the first failure is thrown.
 *
 * @param temporary A directory that is removed after the build.
 * @throws {BuildError} when one cannot be had.
 */
export async function fetchSources(
  plans: readonly LibraryPlan[],
  temporary: string,
  { options, environment, signal }: BuildContext,
): Promise<Map<LibraryPlan, Source>> {
  const apt = join(temporary, "apt");
  mkdirSync(apt);
  const cache = requireCache(options);
  const context = {
    cache,
    sources: cachedSourcesDirectory(cache),
    temporary,
    upstream: options.upstream ?? options.environment?.["OFFHEAP_UPSTREAM"] ??
      process.env["OFFHEAP_UPSTREAM"],
    environment,
    debian: options.debian === false ? null : new DebianSources(apt, environment, signal),
    signal,
  };
  const outcomes = await Promise.allSettled(
    plans.map(async (plan) => [plan, await plan.fetch(context)] as const),
  );
  const sources = new Map<LibraryPlan, Source>();
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
    sources.set(...outcome.value);
  }
  return sources;
}
