/**
 * The guarding layer of the secure variant: offheap's own C between the functions that a library
 * exports and the allocator's own, which get other names in such a build.
 *
 * @module
 */
import type { BuiltAllocator } from "../../../lib/allocators/mod.ts";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GUARD_FEATURE, type Variant } from "../../../lib/library/manifest.ts";
import type { Target } from "../../../lib/library/target.ts";
import { copyOperators, operatorLines } from "./operators.ts";
import { ownSources } from "../root.ts";
import type { LibraryBuild } from "../types.ts";

/** The prefix of the names of the allocator's own functions. */
export const INNER_PREFIX = "inner_";

const COMMON_FILES: readonly string[] = ["guard.h", "guard.c", "guard-names.c"];
const ALLOCATOR_FILES: Readonly<Record<BuiltAllocator, readonly string[]>> = {
  jemalloc: ["guard-jemalloc.c"],
  mimalloc: ["guard-mimalloc.c", "mimalloc-aligned.h"],
};
const UNIT = "offheap-guard";

const FLAGS: readonly string[] = [
  "-std=gnu11",
  "-O3",
  "-fPIC",
  "-fvisibility=hidden",
  "-pthread",
  // Or the compiler turns the layer's calloc into a call of calloc.
  "-fno-builtin-malloc",
  "-Wall",
  "-Wextra",
];

/** Whether a library has the layer. It works with the pages of Linux. */
export function hasGuard(target: Target, variant: Variant): boolean {
  return variant === "secure" && target.platform === "linux";
}

/** The files of offheap's own C that go into such a library. */
export function guardFiles(
  allocator: BuiltAllocator,
  target: Target,
  variant: Variant,
): readonly string[] {
  return hasGuard(target, variant) ? [...COMMON_FILES, ...ALLOCATOR_FILES[allocator]] : [];
}

/** The property by which such a library is known. */
export function guardFeatures(target: Target, variant: Variant): readonly string[] {
  return hasGuard(target, variant) ? [GUARD_FEATURE] : [];
}

/**
 * Compiles the layer.
 *
 * @param defines Macros that it needs, as compiler flags.
 * @returns The name of the object file in the build's directory.
 */
export async function compileGuard(
  build: LibraryBuild,
  allocator: BuiltAllocator,
  defines: readonly string[] = [],
): Promise<string> {
  const files = guardFiles(allocator, build.target, build.variant);
  for (const file of files) copyFileSync(join(ownSources(), file), join(build.directory, file));
  const sources = files.filter((file) => file.endsWith(".c"));
  copyOperators(build.directory);
  const lines = [
    ...sources.map((file) => `#include "${file}"`),
    ...operatorLines("guard"),
  ];
  writeFileSync(join(build.directory, `${UNIT}.c`), `${lines.join("\n")}\n`);
  await build.run([
    ...build.toolchain.compiler,
    "-c",
    ...FLAGS,
    ...defines,
    "-o",
    `${UNIT}.o`,
    `${UNIT}.c`,
  ]);
  return `${UNIT}.o`;
}
