/**
 * Builds the shared libraries jemalloc, mimalloc and offheap's own shim: for this machine by its
 * compiler, or for any target by zig.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildForHost } from "./host.ts";
import { buildTargets } from "./targets.ts";
import { checkOptions } from "./plan/options.ts";
import { toolEnvironment } from "./toolchain/shell.ts";
import type { BuildContext, BuildOptions, BuildProgress, BuildResult } from "./types.ts";

export type { BuildOptions, BuildProgress, BuildResult, BuildStep, LibraryId } from "./types.ts";

const SILENT: BuildProgress = { step() {}, done() {}, ended() {}, note() {} };

/**
 * Builds what is missing or out of date, checks each library, and moves it into place in one step.
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
  const context: BuildContext = { options, environment, root, progress, signal: options.signal };
  return target === undefined ? await buildForHost(context) : await buildTargets(target, context);
}
