/**
 * Where the parts of the checkout are.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildDirectory, libraryFileName } from "../lib/library/directories.ts";
import type { LibraryName, Variant } from "../lib/library/manifest.ts";
import { hostTarget } from "../lib/library/target.ts";

/** The root of the repository. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

/** The command line's program. */
export const CLI: string = join(ROOT, "lib", "cli.ts");

/** The directory of the tests' fixtures. */
export const FIXTURES: string = join(ROOT, "tests", "fixtures");

/** The path of a library that this checkout has built. */
export function builtLibrary(name: LibraryName, variant: Variant = "release"): string {
  const { name: target, platform } = hostTarget();
  return join(buildDirectory(ROOT, target, variant), libraryFileName(name, platform));
}
