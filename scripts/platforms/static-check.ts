/**
 * What can be told of a target's libraries from their files, without running them.
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
import type { LibraryManifest, LibraryName } from "../../lib/library/manifest.ts";
import { TARGETS } from "../../lib/library/targets.ts";
import { ROOT } from "../runtimes.ts";
import type { ColumnResult } from "./types.ts";

const NAMES: readonly LibraryName[] = ["jemalloc", "mimalloc", "offheap"];

/** What to do when a library is not there. */
export function buildHint(target: string): string {
  return `build it with npm run build:native -- --target ${target}`;
}

/** The libraries of a target that are not built, by their paths from the root. */
export function missingLibraries(target: string, root: string = ROOT): string[] {
  const row = TARGETS.find(({ name }) => name === target);
  if (row === undefined) return [];
  const directory = buildDirectory("", target, "release");
  return NAMES.map((name) => join(directory, libraryFileName(name, row.platform)))
    .filter((file) => !existsSync(join(root, file)));
}

/**
 * Checks each library of a target by its bytes: it is there, has a manifest, and is the file that
 * the manifest describes.
 */
export function checkFiles(target: string, root: string = ROOT): ColumnResult {
  const row = TARGETS.find(({ name }) => name === target);
  if (row === undefined) return { outcome: "fail", detail: `"${target}" is no target` };
  const problems: string[] = [];
  const seen: string[] = [];
  for (const variant of row.variants) {
    const directory = buildDirectory(root, target, variant);
    for (const name of NAMES) {
      const file = libraryFileName(name, row.platform);
      const problem = problemOf(join(directory, file), target, directory, name, row.platform);
      if (problem === null) seen.push(`${variant}/${file}`);
      else problems.push(`${variant}/${file} ${problem}`);
    }
  }
  if (problems.length === 0) {
    return { outcome: "static", detail: `agree with their manifests: ${seen.join(", ")}` };
  }
  const advice = problems.some((text) => text.endsWith("is not there"))
    ? `; ${buildHint(target)}`
    : "";
  return { outcome: "fail", detail: `${problems.join(", ")}${advice}` };
}

function problemOf(
  file: string,
  target: string,
  directory: string,
  name: LibraryName,
  platform: string,
): string | null {
  if (!existsSync(file)) return "is not there";
  const path = join(directory, manifestFileName(name, platform));
  if (!existsSync(path)) return "has no manifest";
  const manifest = JSON.parse(readFileSync(path, "utf8")) as LibraryManifest;
  const bytes = readFileSync(file);
  if (manifest.target !== target) return `is for ${manifest.target} by its manifest`;
  if (bytes.length !== manifest.bytes) {
    return `has ${bytes.length} bytes, and ${manifest.bytes} by its manifest`;
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return sha256 === manifest.sha256 ? null : "is not the file of its manifest (sha256)";
}
