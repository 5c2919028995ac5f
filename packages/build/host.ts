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
import { buildVariant, findVariant } from "./variant.ts";
import { isZig } from "./toolchain/zig.ts";
import { makePrivateDirectory, requirePrivate } from "./store/output.ts";
import { librariesWith, planBuild } from "./plan/libraries.ts";
import { cacheOf, fetchSources } from "./store/sources.ts";
import { findToolchain, missingCompiler } from "./toolchain/compiler.ts";
import type { BuildContext, BuildOptions, BuildResult, Toolchain, VariantPlan } from "./types.ts";

/**
 * Builds the variant that was asked for, or all that a release has for this machine.
 *
 * @throws {BuildError} when one cannot be built; those before it stay.
 */
export async function buildForHost(context: BuildContext): Promise<BuildResult[]> {
  const { options, environment } = context;
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
  const libraries = planBuild(options);
  const toolchain = await findToolchain(environment);
  const results: BuildResult[] = [];
  for (const variant of variants) {
    const plan: VariantPlan = {
      libraries: librariesWith(variant, libraries),
      outDirectory: directoryOf(context, target, variant),
      variant,
      target,
      // What zig made for this target runs on any machine, on this one as well.
      accepts: (compiler) =>
        toolchain === null || compiler === toolchain.version || isZig(compiler),
      force: options.force === true,
    };
    results.push(...await buildHere(plan, toolchain, context));
  }
  return results;
}

/** Where a variant goes: below a directory that was named, as in a package. */
function directoryOf({ options, root }: BuildContext, target: Target, variant: Variant): string {
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

async function buildHere(
  plan: VariantPlan,
  toolchain: Toolchain | null,
  context: BuildContext,
): Promise<BuildResult[]> {
  const { outDirectory, target: { name: target }, variant } = plan;
  const { options, progress } = context;
  // What is found there counts as built, and what is built there will be loaded from there.
  const cache = cacheOf(options);
  const inCache = cache !== null && isWithin(cache, outDirectory);
  if (inCache) requirePrivate(cache, outDirectory);
  const current = findVariant(plan);
  if (current !== null) return current;
  if (toolchain === null) throw missingCompiler();
  if (inCache) makePrivateDirectory(cache, outDirectory);
  try {
    const results = await buildVariant(plan, toolchain, context, (libraries, temporary) => {
      for (const { recipe: { name } } of libraries) {
        progress.step({ name, target, variant }, "source");
      }
      return fetchSources(libraries, temporary, context);
    });
    progress.ended({ target, variant });
    return results;
  } catch (error) {
    progress.ended({ target, variant }, error);
    throw error;
  }
}
