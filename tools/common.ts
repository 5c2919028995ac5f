/**
 * What several scripts need.
 *
 * @module
 */

import { BUILT_ALLOCATORS, type BuiltAllocator } from "../lib/allocators/mod.ts";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { InvalidArgumentError } from "commander";
import type { Variant } from "../lib/library/manifest.ts";
import { ROOT } from "./paths.ts";

/**
 * Builds the native libraries that are missing; with none missing it takes less than a second.
 *
 * @param more Which variants are needed beside those that a release has.
 * @param sources Where an allocator's source is, in place of the pinned ones.
 * @throws {Error} when the build fails. It has then printed why.
 */
export function buildMissing(
  more: readonly Variant[] = [],
  sources: { readonly [name in BuiltAllocator]?: string | undefined } = {},
): void {
  const given = Object.values(sources).some((source) => source !== undefined);
  const selections = given
    ? BUILT_ALLOCATORS.map((name) => [
      "--allocator",
      name,
      ...(sources[name] === undefined ? [] : ["--source", sources[name]]),
    ])
    : [[]];
  for (const variant of [[], ...more.map((name) => ["--variant", name])]) {
    for (const selection of selections) build([...variant, ...selection]);
  }
}

function build(args: readonly string[]): void {
  const script = join(ROOT, "scripts", "build-native.ts");
  const command = [script, ...args];
  const { status, signal, error } = spawnSync(process.execPath, command, { stdio: "inherit" });
  if (status === 0) return;
  const how = error?.message ?? (signal === null ? `status ${status}` : signal);
  throw new Error(`Cannot go on: the native build ended with ${how}; its message is above`);
}

/**
 * Reads an option's whole number above 0.
 *
 * @throws {InvalidArgumentError} when it is not one; commander puts the option's name in front.
 */
export function positive(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError(`It must be a whole number above 0; got "${text}".`);
}
