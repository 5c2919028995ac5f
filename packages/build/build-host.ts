/**
 * Building for this machine by its own compiler, the variants one after another.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { BuildError } from "../../lib/errors.ts";
import { packagedFile } from "../../lib/library/directories.ts";
import type { Variant } from "../../lib/library/manifest.ts";
import { isWithin } from "../../lib/library/ownership.ts";
import { hostTarget, type Target } from "../../lib/library/target.ts";
import { releasedVariants } from "../../lib/library/targets.ts";
import { type BuildSet, buildSet, findSet, type Workshop } from "./build-set.ts";
import { isZig } from "./toolchain/zig.ts";
import { makePrivateDirectory, requirePrivate } from "./store/output.ts";
import { planBuild, plansOf } from "./plan/libraries.ts";
import { cacheOf, fetchSources } from "./store/sources.ts";
import { findToolchain, missingCompiler } from "./toolchain/compiler.ts";
import type { BuildOptions, BuildProgress, BuildResult, Toolchain } from "./types.ts";

/** What a build for this machine begins with. */
export interface HostRequest {
  /** The options. */
  readonly options: BuildOptions;
  /** The environment of the tools. */
  readonly environment: Readonly<Record<string, string>>;
  /** The directory of a checkout or package. */
  readonly root: string;
  /** Told of the steps. */
  readonly progress: BuildProgress;
}

/**
 * Builds the variant that was asked for, or all that a release has for this machine.
 *
 * @throws {BuildError} when one cannot be built; those before it stay.
 */
export async function buildForHost(request: HostRequest): Promise<BuildResult[]> {
  const { options, environment } = request;
  const target = hostTarget();
  if (target.platform !== "linux") {
    throw new BuildError(
      `Cannot build for ${target.name} with its own compiler: that is for Linux only. Build with ` +
        `"--target ${target.name}", which needs zig, or take the platform package.`,
    );
  }
  const variants = options.variant === undefined
    ? releasedVariants(target.name)
    : [options.variant];
  const plans = planBuild(options);
  const toolchain = await findToolchain(environment);
  const results: BuildResult[] = [];
  for (const variant of variants) {
    const set: BuildSet = {
      plans: plansOf(variant, plans),
      outDirectory: directoryOf(request, target, variant),
      variant,
      target,
      // What zig made for this target runs on any machine, on this one as well.
      accepts: (compiler) =>
        toolchain === null || compiler === toolchain.version || isZig(compiler),
      force: options.force === true,
    };
    results.push(...await buildVariant(set, toolchain, request));
  }
  return results;
}

/** Where a variant goes: below a directory that was named, as it lies in a package. */
function directoryOf({ options, root }: HostRequest, target: Target, variant: Variant): string {
  const { outDirectory } = options;
  if (outDirectory === undefined) {
    return join(buildsDirectory(options, root), target.name, variant);
  }
  return resolve(outDirectory, packagedFile("", variant));
}

/** The directory in which each target and variant gets its own. */
export function buildsDirectory(options: BuildOptions, root: string): string {
  const { buildsDirectory: named } = options;
  return named === undefined ? join(root, "build", "native") : resolve(named);
}

async function buildVariant(
  set: BuildSet,
  toolchain: Toolchain | null,
  { options, environment, progress }: HostRequest,
): Promise<BuildResult[]> {
  const { outDirectory, target, variant } = set;
  // What is found there counts as built, and what is built there will be loaded from there.
  const cache = cacheOf(options);
  const inCache = cache !== null && isWithin(cache, outDirectory);
  if (inCache) requirePrivate(cache, outDirectory);
  const current = findSet(set);
  if (current !== null) return current;
  if (toolchain === null) throw missingCompiler();
  if (inCache) makePrivateDirectory(cache, outDirectory);
  const { signal } = options;
  const workshop: Workshop = {
    environment,
    progress,
    signal,
    fetch: (plans, temporary) => {
      for (const { recipe } of plans) {
        progress.step({ name: recipe.name, target: target.name, variant }, "source");
      }
      return fetchSources(plans, temporary, options, environment, signal);
    },
  };
  const unit = { target: target.name, variant };
  try {
    const results = await buildSet(set, toolchain, workshop);
    progress.ended(unit);
    return results;
  } catch (error) {
    progress.ended(unit, error);
    throw error;
  }
}
