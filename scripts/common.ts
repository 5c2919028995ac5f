/**
 * What several scripts need.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { InvalidArgumentError } from "commander";
import type { Variant } from "../lib/library/manifest.ts";
import { ROOT } from "./runtimes.ts";

/**
 * Builds the native libraries that are missing; with none missing it takes less than a second.
 *
 * @param more Which variants are needed beside those that a release has.
 * @throws {Error} when the build fails. It has then printed why.
 */
export function buildMissing(more: readonly Variant[] = []): void {
  const script = join(ROOT, "scripts", "build-native.ts");
  for (const variant of [null, ...more]) {
    const args = variant === null ? [script] : [script, "--variant", variant];
    const { status, signal, error } = spawnSync(process.execPath, args, { stdio: "inherit" });
    if (status === 0) continue;
    const how = error?.message ?? (signal === null ? `status ${status}` : signal);
    throw new Error(`Cannot go on: the native build ended with ${how}; its message is above`);
  }
}

/**
 * Reads an option's whole number above 0.
 *
 * @throws {InvalidArgumentError} when it is none; commander puts the option's name in front.
 */
export function positive(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError(`It must be a whole number above 0; got "${text}".`);
}
