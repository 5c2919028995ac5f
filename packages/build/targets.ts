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
import { buildsDirectory } from "./host.ts";
import {
  buildVariant,
  type FetchSources,
  findVariant,
  inDirectory,
  missingLibraries,
} from "./variant.ts";
import { findZig, missingZig, targetsFor, type Zig, zigToolchain } from "./toolchain/zig.ts";
import { makePrivateDirectory } from "./store/output.ts";
import { librariesWith, planBuild } from "./plan/libraries.ts";
import { fetchSources, requireCache } from "./store/sources.ts";
import type {
  BuildContext,
  BuildOptions,
  BuildResult,
  LibraryPlan,
  Source,
  VariantPlan,
} from "./types.ts";

/** Where in the user's cache zig keeps what it made before. */
const ZIG_CACHE = "zig";

/** The directory in which each target and variant gets its own. */
function baseDirectory(options: BuildOptions, root: string): string {
  const { outDirectory } = options;
  return outDirectory === undefined ? buildsDirectory(options, root) : resolve(outDirectory);
}

/** Each target's variants. */
function planVariants(
  targets: readonly ReleaseTarget[],
  { options, root }: BuildContext,
  zig: Zig | null,
): VariantPlan[] {
  const base = baseDirectory(options, root);
  const libraries = planBuild(options);
  return targets.flatMap((target) =>
    (options.variant === undefined ? target.variants : [options.variant]).map((variant) => ({
      libraries: librariesWith(variant, libraries),
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
export async function buildTargets(name: string, context: BuildContext): Promise<BuildResult[]> {
  const { options, environment, root } = context;
  const targets = targetsFor(name);
  for (const { name, variants } of targets) {
    if (options.variant === "preload" && !variants.includes("preload")) {
      throw new BuildError(
        `Cannot build the variant preload for ${name}: nothing can be preloaded there.`,
      );
    }
  }
  const zig = await findZig(environment);
  const plans = planVariants(targets, context, zig);
  const before = plans.map(findVariant);
  const current = before.filter((results) => results !== null);
  if (current.length === plans.length) return current.flat();
  if (zig === null) throw missingZig();
  const base = baseDirectory(options, root);
  const cache = requireCache(options);
  // What is built there will be loaded from there, and zig's objects are linked as they are.
  for (const { outDirectory } of isWithin(cache, base) ? plans : []) {
    makePrivateDirectory(cache, outDirectory);
  }
  makePrivateDirectory(cache, join(cache, ZIG_CACHE));
  return await inDirectory(base, context, async (temporary, signal) => {
    const within = { ...context, signal };
    const missing = [...new Set(plans.flatMap(missingLibraries))];
    let sources: Promise<Map<LibraryPlan, Source>> | undefined;
    // Variants share their libraries: the first that needs a source gets what any of them needs.
    const fetch: FetchSources = () => sources ??= fetchSources(missing, temporary, within);
    return await buildAll(plans, before, { zig, fetch, temporary }, within);
  });
}

/** What all targets have in common. */
interface Shared {
  readonly zig: Zig;
  readonly fetch: FetchSources;
  readonly temporary: string;
}

async function buildAll(
  plans: readonly VariantPlan[],
  before: readonly (BuildResult[] | null)[],
  { zig, fetch, temporary }: Shared,
  context: BuildContext,
): Promise<BuildResult[]> {
  const cache = join(requireCache(context.options), ZIG_CACHE);
  const results: (BuildResult[] | null)[] = [...before];
  const failures: string[] = [];
  const build = async (index: number, plan: VariantPlan): Promise<void> => {
    const { target, variant } = plan;
    const id = { target: target.name, variant };
    try {
      const path = context.environment["PATH"] ?? "";
      const toolchain = zigToolchain(zig, target, cache, path);
      const shared = join(temporary, target.name);
      mkdirSync(shared, { recursive: true });
      results[index] = await buildVariant(plan, toolchain, context, fetch, shared);
      context.progress.ended(id);
    } catch (error) {
      context.progress.ended(id, error);
      const message = error instanceof Error ? error.message : String(error);
      failures.push(`${target.name}, ${variant}: ${message}`);
    }
  };
  const waiting = [...new Set(plans.map(({ target }) => target))];
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      for (const [index, plan] of plans.entries()) {
        if (context.signal?.aborted === true) return;
        if (plan.target === target && results[index] === null) await build(index, plan);
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  context.signal?.throwIfAborted();
  if (failures.length === 0) return results.flatMap((variant) => variant ?? []);
  const others = failures.length < plans.length ? "; the others are built" : "";
  throw new BuildError(
    `Cannot build ${failures.length} of ${plans.length} sets of libraries${others}.\n` +
      failures.map((failure) => `- ${failure}`).join("\n"),
  );
}
