/**
 * Builds the shared libraries jemalloc, mimalloc and offheap's own shim: for this machine by its
 * compiler, or for any target by zig.
 *
 * @module
 */
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BuildError } from "../../lib/errors.ts";
import { buildDirectory } from "../../lib/library/directories.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { type BuildSet, buildSet, findSet, type Workshop } from "./build-set.ts";
import { buildTargets } from "./build-targets.ts";
import { isZig } from "./cross.ts";
import { checkOptions } from "./options.ts";
import { planBuild } from "./plan.ts";
import { toolEnvironment } from "./shell.ts";
import { fetchSources } from "./sources.ts";
import { findToolchain, missingCompiler } from "./toolchain.ts";
import type { BuildOptions, BuildProgress, BuildResult } from "./types.ts";

export type { BuildOptions, BuildProgress, BuildResult, BuildStep, BuildUnit } from "./types.ts";

const SILENT: BuildProgress = { step() {}, done() {}, ended() {}, note() {} };

/**
 * Builds what is missing or out of date, checks each library, and moves it into place whole.
 *
 * @returns One result for each library that was asked for: for each target and variant the shim,
 * then the allocators.
 * @throws {BuildError} when it cannot be done; the message says what to do about it.
 * @throws {TypeError} when an option is of the wrong kind.
 */
export async function buildNative(options: BuildOptions = {}): Promise<BuildResult[]> {
  checkOptions(options);
  const { target, progress = SILENT } = options;
  const environment = toolEnvironment(options.environment ?? process.env);
  const root = fileURLToPath(new URL("../../", import.meta.url));
  return target === undefined
    ? await buildForHost(options, environment, root, progress)
    : await buildTargets({ target, options, environment, root, progress });
}

async function buildForHost(
  options: BuildOptions,
  environment: Readonly<Record<string, string>>,
  root: string,
  progress: BuildProgress,
): Promise<BuildResult[]> {
  const target = hostTarget();
  const variant = options.variant ?? "release";
  if (target.platform !== "linux") {
    throw new BuildError(
      `Cannot build for ${target.name} with its own compiler: that is for Linux only. Build with ` +
        `"--target ${target.name}", which needs zig, or take the platform package.`,
    );
  }
  if (variant === "preload") {
    throw new BuildError(
      "Cannot build the variant preload for Linux: its release is made for preloading already.",
    );
  }
  const toolchain = await findToolchain(environment);
  const set: BuildSet = {
    plans: planBuild(options),
    outDirectory: options.outDirectory === undefined
      ? buildDirectory(root, target.name, variant)
      : resolve(options.outDirectory),
    variant,
    target,
    // What zig made for this target runs on any machine, on this one as well.
    accepts: (compiler) => toolchain === null || compiler === toolchain.version || isZig(compiler),
    force: options.force === true,
  };
  const current = findSet(set);
  if (current !== null) return current;
  if (toolchain === null) throw missingCompiler();
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
