/**
 * The npm package as an installation leaves it, for measuring what users start.
 *
 * @module
 */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildMissing } from "../tools/common.ts";
import { buildAll } from "../scripts/npm/build.ts";
import { MAIN_PACKAGE } from "../scripts/npm/manifest.ts";
import { ROOT } from "../tools/paths.ts";

/**
 * Builds the package into a project.
 *
 * @param project An empty directory.
 * @returns The package's directory.
 */
export async function installPackage(project: string): Promise<string> {
  buildMissing();
  const modules = join(project, "node_modules");
  await buildAll({ out: modules, builder: "esbuild" });
  symlinkSync(join(ROOT, "node_modules", "@koromix"), join(modules, "@koromix"), "junction");
  writeFileSync(join(project, "package.json"), "{}\n");
  mkdirSync(join(project, "cache"));
  return join(modules, MAIN_PACKAGE);
}
