/**
 * What a target's libraries' files show, without running them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  buildDirectory,
  libraryFileName,
  manifestFileName,
} from "../../lib/library/directories.ts";
import {
  librariesOf,
  type LibraryManifest,
  type LibraryName,
  type Variant,
} from "../../lib/library/manifest.ts";
import { type ReleaseTarget, TARGETS } from "../../lib/library/targets.ts";
import { checkLibrary } from "../../packages/build/check/library.ts";
import { GLIBC_FLOOR } from "../../packages/build/toolchain/zig.ts";
import { JEMALLOC_RECIPE } from "../../packages/build/recipe/jemalloc.ts";
import { MIMALLOC_RECIPE } from "../../packages/build/recipe/mimalloc.ts";
import { SHIM_RECIPE } from "../../packages/build/recipe/shim.ts";
import type { Recipe } from "../../packages/build/types.ts";
import { ROOT } from "../../tools/paths.ts";
import type { ColumnResult } from "./types.ts";

const RECIPES: Readonly<Record<LibraryName, Recipe>> = {
  jemalloc: JEMALLOC_RECIPE,
  mimalloc: MIMALLOC_RECIPE,
  offheap: SHIM_RECIPE,
};

/** What to do when a library is not there. */
export function buildHint(target: string): string {
  return `build it with npm run build:native -- --target ${target}`;
}

/** The libraries of a target that are not built, by their paths from the root. */
export function missingLibraries(target: string, root: string = ROOT): string[] {
  const row = TARGETS.find(({ name }) => name === target);
  if (row === undefined) return [];
  return row.variants
    .flatMap((variant) =>
      librariesOf(variant).map((name) =>
        join(buildDirectory("", target, variant), libraryFileName(name, row.platform))
      )
    )
    .filter((file) => !existsSync(join(root, file)));
}

/**
 * Checks each library of a target by its bytes: it is there, has a manifest, is the file that the
 * manifest describes, and is what the build asks of a library of that target: its format,
 * processor and signature, its exports, and the libraries that it needs.
 */
export function checkFiles(target: string, root: string = ROOT): ColumnResult {
  const row = TARGETS.find(({ name }) => name === target);
  if (row === undefined) return { outcome: "fail", detail: `"${target}" is no target` };
  const problems: string[] = [];
  const seen: string[] = [];
  for (const variant of row.variants) {
    const directory = buildDirectory(root, target, variant);
    for (const name of librariesOf(variant)) {
      const file = libraryFileName(name, row.platform);
      const problem = problemOf(join(directory, file), row, variant, name);
      if (problem === null) seen.push(`${variant}/${file}`);
      else problems.push(`${variant}/${file} ${problem}`);
    }
  }
  if (problems.length === 0) {
    return { outcome: "static", detail: `their bytes are as the build asks: ${seen.join(", ")}` };
  }
  const advice = problems.some((text) => text.endsWith("is not there"))
    ? `; ${buildHint(target)}`
    : "";
  return { outcome: "fail", detail: `${problems.join(", ")}${advice}` };
}

function problemOf(
  file: string,
  target: ReleaseTarget,
  variant: Variant,
  name: LibraryName,
): string | null {
  if (!existsSync(file)) return "is not there";
  const path = join(file, "..", manifestFileName(name, target.platform));
  if (!existsSync(path)) return "has no manifest";
  const manifest = JSON.parse(readFileSync(path, "utf8")) as LibraryManifest;
  const bytes = readFileSync(file);
  if (manifest.target !== target.name) return `is for ${manifest.target} by its manifest`;
  if (bytes.length !== manifest.bytes) {
    return `has ${bytes.length} bytes, and ${manifest.bytes} by its manifest`;
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== manifest.sha256) return "is not the file of its manifest (sha256)";
  try {
    const exports = RECIPES[name].exports(target, variant);
    checkLibrary(file, target, { name, variant, ...exports, glibcFloor: GLIBC_FLOOR });
    return null;
  } catch (error) {
    return `is not what it has to be (${error instanceof Error ? error.message : error})`;
  }
}
