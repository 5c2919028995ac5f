/**
 * Builds the shared libraries jemalloc, mimalloc and offheap's own shim: for this machine by its
 * compiler, or for any target by zig.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildForHost } from "./build-host.ts";
import { buildTargets } from "./build-targets.ts";
import { checkOptions } from "./plan/options.ts";
import { toolEnvironment } from "./toolchain/shell.ts";
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
    ? await buildForHost({ options, environment, root, progress })
    : await buildTargets({ target, options, environment, root, progress });
}
