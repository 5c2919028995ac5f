/**
 * Builds the shared libraries for the host: jemalloc, mimalloc and offheap's own shim.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BuildError } from "../../lib/errors.ts";
import {
  buildDirectory,
  cacheDirectory,
  cachedSourcesDirectory,
} from "../../lib/library/directories.ts";
import { isWithin } from "../../lib/library/ownership.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { buildOne } from "./build-one.ts";
import { DebianSources } from "./debian.ts";
import { checkOptions } from "./options.ts";
import { lockDirectory } from "./lock.ts";
import {
  makePrivateDirectory,
  removeLeftovers,
  requirePrivate,
  requireSpace,
  TEMPORARY_PREFIX,
} from "./output.ts";
import { findCurrent, type Plan, planBuild, type PlanContext } from "./plan.ts";
import { isNoSpace, noSpace, toolEnvironment } from "./shell.ts";
import { findToolchain, missingCompiler, requirePrograms } from "./toolchain.ts";
import type { BuildOptions, BuildProgress, BuildResult, Source } from "./types.ts";

export type { BuildOptions, BuildProgress, BuildResult, BuildStep } from "./types.ts";

const SILENT: BuildProgress = { step() {}, done() {}, note() {} };

/**
 * Builds what is missing or out of date, checks each library, and moves it into place whole.
 *
 * @returns One result for each library that was asked for: the shim, then the allocators.
 * @throws {BuildError} when it cannot be done; the message says what to do about it.
 * @throws {TypeError} when an option is of the wrong kind.
 */
export async function buildNative(options: BuildOptions = {}): Promise<BuildResult[]> {
  checkOptions(options);
  const target = hostTarget();
  if (target.platform !== "linux") {
    throw new BuildError(
      `Cannot build for ${target.name}: this script builds for Linux only. ` +
        "Take the platform package, or the system's own library.",
    );
  }
  const variant = options.variant ?? "release";
  const environment = toolEnvironment(options.environment ?? process.env);
  const outDirectory = options.outDirectory === undefined
    ? buildDirectory(fileURLToPath(new URL("../../", import.meta.url)), target.name, variant)
    : resolve(options.outDirectory);
  // What is found there counts as built, and what is built there will be loaded from there.
  const cache = cacheOf(options);
  const inCache = cache !== null && isWithin(cache, outDirectory);
  if (inCache) requirePrivate(cache, outDirectory);
  const toolchain = await findToolchain(environment);
  const context: PlanContext = { outDirectory, variant, target, toolchain };
  const plans = planBuild(options);
  const isCurrent = options.force === true ? () => null : findCurrent;
  const before = plans.map((plan) => isCurrent(plan, context));
  if (before.every((result) => result !== null)) return before;
  if (toolchain === null) throw missingCompiler();
  if (inCache) makePrivateDirectory(cache, outDirectory);
  return await buildMissing(plans, { ...context, toolchain }, options, environment);
}

/** The user's cache; `null` when the environment names no home. */
function cacheOf(options: BuildOptions): string | null {
  const cache = options.cacheDirectory ??
    cacheDirectory(options.environment ?? process.env, process.platform);
  return cache === null ? null : resolve(cache);
}

type ReadyContext = PlanContext & { readonly toolchain: NonNullable<PlanContext["toolchain"]> };

async function buildMissing(
  plans: readonly Plan[],
  context: ReadyContext,
  options: BuildOptions,
  environment: Readonly<Record<string, string>>,
): Promise<BuildResult[]> {
  const { outDirectory } = context;
  const progress = options.progress ?? SILENT;
  const wait = (): void =>
    progress.note(`Another build is at work in "${outDirectory}"; waiting for it.`);
  const lock = await lockDirectory(outDirectory, wait, options.signal);
  const signals = options.signal === undefined ? [lock.lost] : [lock.lost, options.signal];
  const signal = AbortSignal.any(signals);
  try {
    removeLeftovers(outDirectory);
    const temporary = mkdtempSync(join(outDirectory, TEMPORARY_PREFIX));
    try {
      const workshop = { environment, temporary, progress, signal };
      return await buildLocked(plans, context, options, workshop);
    } catch (error) {
      throw isNoSpace(error) ? noSpace("build", outDirectory) : error;
    } finally {
      rmSync(temporary, { recursive: true, force: true, maxRetries: 10 });
    }
  } finally {
    await lock.release();
  }
}

interface Workshop {
  readonly environment: Readonly<Record<string, string>>;
  readonly temporary: string;
  readonly progress: BuildProgress;
  readonly signal: AbortSignal;
}

async function buildLocked(
  plans: readonly Plan[],
  context: ReadyContext,
  options: BuildOptions,
  workshop: Workshop,
): Promise<BuildResult[]> {
  const force = options.force === true;
  // Another build may have made them while this one waited for the lock.
  const found = plans.map((plan) => force ? null : findCurrent(plan, context));
  const missing = plans.filter((_, index) => found[index] === null);
  const tools = missing.flatMap((plan) => plan.recipe.tools);
  await requirePrograms(tools, workshop.environment, "build");
  const space = missing.reduce((sum, plan) => sum + plan.recipe.space, 0);
  requireSpace(context.outDirectory, space);
  const sources = await fetchAll(missing, options, workshop);
  const results: BuildResult[] = [];
  for (const [index, plan] of plans.entries()) {
    const source = sources.get(plan);
    const current = source === undefined
      ? found[index]
      : force
      ? null
      : findCurrent(plan, context, [source.identity]);
    const result = current ??
      await buildOne(plan.recipe, sourceOf(source), { ...context, ...workshop });
    workshop.progress.done(result);
    results.push(result);
  }
  return results;
}

function sourceOf(source: Source | undefined): Source {
  if (source === undefined) throw new TypeError("Cannot build: a library has no source");
  return source;
}

/** Gets all sources at once, and lets each of them end before the first failure is thrown. */
async function fetchAll(
  plans: readonly Plan[],
  options: BuildOptions,
  workshop: Workshop,
): Promise<Map<Plan, Source>> {
  const cache = cacheOf(options);
  if (cache === null) {
    throw new BuildError(
      "Cannot build: there is no directory for the source archives. Set HOME or XDG_CACHE_HOME.",
    );
  }
  const { environment, temporary, signal, progress } = workshop;
  const apt = join(temporary, "apt");
  mkdirSync(apt);
  const context = {
    cache,
    sources: cachedSourcesDirectory(cache),
    temporary,
    upstream: options.upstream ?? options.environment?.["OFFHEAP_UPSTREAM"] ??
      process.env["OFFHEAP_UPSTREAM"],
    debian: options.debian === false ? null : new DebianSources(apt, environment, signal),
    signal,
  };
  const outcomes = await Promise.allSettled(plans.map(async (plan) => {
    progress.step(plan.recipe.name, "source");
    return [plan, await plan.fetch(context)] as const;
  }));
  const sources = new Map<Plan, Source>();
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
    sources.set(...outcome.value);
  }
  return sources;
}
