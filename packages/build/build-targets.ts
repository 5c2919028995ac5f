/**
 * Building for named targets, several at a time, the variants of each one after another: a target
 * that fails does not keep the others from being built.
 *
 * @module
 */
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { BuildError } from "../../lib/errors.ts";
import { isWithin } from "../../lib/library/ownership.ts";
import type { ReleaseTarget } from "../../lib/library/targets.ts";
import { buildsDirectory } from "./build-host.ts";
import {
  type BuildSet,
  buildSet,
  findSet,
  inDirectory,
  missingPlans,
  type Workshop,
} from "./build-set.ts";
import { findZig, missingZig, targetsFor, type Zig, zigToolchain } from "./toolchain/zig.ts";
import { makePrivateDirectory } from "./store/output.ts";
import { type Plan, planBuild, plansOf } from "./plan/libraries.ts";
import { fetchSources, requireCache } from "./store/sources.ts";
import type { BuildOptions, BuildProgress, BuildResult, Source } from "./types.ts";

/** Where in the user's cache zig keeps what it made before. */
const ZIG_CACHE = "zig";

/** What a build for named targets begins with. */
export interface TargetsRequest {
  /** `all`, or a target's name. */
  readonly target: string;
  /** The options. */
  readonly options: BuildOptions;
  /** The environment of the tools. */
  readonly environment: Readonly<Record<string, string>>;
  /** The directory of a checkout or package. */
  readonly root: string;
  /** Told of the steps. */
  readonly progress: BuildProgress;
}

/** The directory in which each target and variant gets its own. */
function baseDirectory(options: BuildOptions, root: string): string {
  const { outDirectory } = options;
  return outDirectory === undefined ? buildsDirectory(options, root) : resolve(outDirectory);
}

/** The sets of targets: each target has one for each variant. */
function planSets(
  targets: readonly ReleaseTarget[],
  { options, root }: TargetsRequest,
  zig: Zig | null,
): BuildSet[] {
  const base = baseDirectory(options, root);
  const plans = planBuild(options);
  return targets.flatMap((target) =>
    (options.variant === undefined ? target.variants : [options.variant]).map((variant) => ({
      plans: plansOf(variant, plans),
      outDirectory: join(base, target.name, variant),
      variant,
      target,
      accepts: (compiler: string) => zig === null || compiler === zig.version,
      force: options.force === true,
    }))
  );
}

/**
 * Builds for one target, or for all.
 *
 * @throws {BuildError} when a target is not known, or naming each that could not be built and why.
 */
export async function buildTargets(request: TargetsRequest): Promise<BuildResult[]> {
  const { options, environment, root, progress } = request;
  const targets = targetsFor(request.target);
  for (const { name, variants } of targets) {
    if (options.variant === "preload" && !variants.includes("preload")) {
      throw new BuildError(
        `Cannot build the variant preload for ${name}: nothing can be preloaded there.`,
      );
    }
  }
  const zig = await findZig(environment);
  const sets = planSets(targets, request, zig);
  const before = sets.map(findSet);
  const current = before.filter((results) => results !== null);
  if (current.length === sets.length) return current.flat();
  if (zig === null) throw missingZig();
  const base = baseDirectory(options, root);
  const cache = requireCache(options);
  // What is built there will be loaded from there, and zig's objects are linked as they are.
  for (const { outDirectory } of isWithin(cache, base) ? sets : []) {
    makePrivateDirectory(cache, outDirectory);
  }
  makePrivateDirectory(cache, join(cache, ZIG_CACHE));
  return await inDirectory(
    base,
    { progress, signal: options.signal },
    async (temporary, signal) => {
      const plans = sets.flatMap(missingPlans);
      let sources: Promise<Map<Plan, Source>> | undefined;
      const workshop: Workshop = {
        environment,
        progress,
        signal,
        // Sets share their plans: the first that needs a source gets what any of them needs.
        fetch: () =>
          sources ??= fetchSources([...new Set(plans)], temporary, options, environment, signal),
      };
      return await buildAll(sets, before, zig, request, workshop, temporary);
    },
  );
}

async function buildAll(
  sets: readonly BuildSet[],
  before: readonly (BuildResult[] | null)[],
  zig: Zig,
  request: TargetsRequest,
  workshop: Workshop,
  temporary: string,
): Promise<BuildResult[]> {
  const cache = join(requireCache(request.options), ZIG_CACHE);
  const results: (BuildResult[] | null)[] = [...before];
  const failures: string[] = [];
  const build = async (index: number, set: BuildSet): Promise<void> => {
    const unit = { target: set.target.name, variant: set.variant };
    try {
      const path = request.environment["PATH"] ?? "";
      const toolchain = zigToolchain(zig, set.target, cache, path);
      const shared = join(temporary, set.target.name);
      mkdirSync(shared, { recursive: true });
      results[index] = await buildSet(set, toolchain, workshop, shared);
      workshop.progress.ended(unit);
    } catch (error) {
      workshop.progress.ended(unit, error);
      const message = error instanceof Error ? error.message : String(error);
      failures.push(`${set.target.name}, ${set.variant}: ${message}`);
    }
  };
  const waiting = [...new Set(sets.map(({ target }) => target))];
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      for (const [index, set] of sets.entries()) {
        if (workshop.signal?.aborted === true) return;
        if (set.target === target && results[index] === null) await build(index, set);
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  workshop.signal?.throwIfAborted();
  if (failures.length === 0) return results.flatMap((set) => set ?? []);
  const others = failures.length < sets.length ? "; the others are built" : "";
  throw new BuildError(
    `Cannot build ${failures.length} of ${sets.length} sets of libraries${others}.\n` +
      failures.map((failure) => `- ${failure}`).join("\n"),
  );
}
