/**
 * The package `@offheap/build`: the build, with offheap's C beside it.
 *
 * @module
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../tools/paths.ts";
import { copyParts, NATIVE_SOURCES, TEXTS, writeJson } from "./files.ts";
import { buildJavaScript } from "./javascript.ts";
import { buildManifest } from "./manifest.ts";

/**
 * Makes the package.
 *
 * @param directory The package's directory, which is made.
 */
export async function buildBuildPackage(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await buildJavaScript(join(directory, "dist"), { name: "build" });
  copyParts([...TEXTS, NATIVE_SOURCES], directory);
  copyFileSync(join(ROOT, "packages", "build", "README.md"), join(directory, "README.md"));
  writeJson(join(directory, "package.json"), buildManifest());
}
