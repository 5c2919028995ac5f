/**
 * Packages that are looked for when a program runs: by the runtime's own way of finding them, and
 * never over the network.
 *
 * @module
 */
import { realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type util from "node:util";
import { isPermissionRefusal } from "./errors.ts";

/**
 * Where this code is: by its own word, and by the call stack's, as a bundler may put nothing or
 * another place into its own.
 */
function ownPlaces(): unknown[] {
  // Not imported: what a bundler makes of that loads all that the module has.
  const { getCallSites }: { getCallSites?: typeof util.getCallSites } = process
    .getBuiltinModule("node:util");
  return [import.meta.url, getCallSites?.(1)[0]?.scriptName];
}

/** The path of a module by its path or URL; `null` for one that is no file of this machine. */
function pathOf(place: unknown): string | null {
  if (typeof place !== "string") return null;
  if (place.startsWith("file:")) return fileURLToPath(place);
  return isAbsolute(place) ? place : null;
}

/**
 * The modules from which packages may be found, by their paths: this code, and the program.
 * Packages below the working directory do not count: whoever can write there is not who wrote the
 * program.
 */
export function packageUsers(): string[] {
  const paths = [...ownPlaces(), process.argv[1]].map(pathOf);
  return [...new Set(paths)].filter((path) => path !== null);
}

/** Node's own way of finding packages. It is not imported, as bundlers would follow it. */
export function requireFrom(user: string): NodeJS.Require {
  return process.getBuiltinModule("node:module").createRequire(user);
}

/** The package that builds the libraries; its version is offheap's. */
export const BUILD_PACKAGE = "@offheap/build";

/**
 * The directory of a package as a module sees it.
 *
 * @param from The path of the module.
 * @param resolve Whether the runtime's own resolver may be asked, too.
 * @returns `null` when the package is not installed there.
 */
export function installedPackage(name: string, from: string, resolve: boolean): string | null {
  try {
    const plain = findAbove(name, from);
    if (plain !== null || !resolve) return plain;
    return dirname(requireFrom(from).resolve(`${name}/package.json`));
  } catch (error) {
    if (isPermissionRefusal(error)) throw error;
    // The package is optional: that it is not installed is an ordinary answer.
    return null;
  }
}

/** Looks in the directories of that name: a few looks, where a resolver takes many. */
function findAbove(name: string, from: string): string | null {
  let directory = dirname(from);
  while (true) {
    const candidate = join(directory, "node_modules", name);
    const found = statSync(join(candidate, "package.json"), { throwIfNoEntry: false });
    if (found?.isFile() === true) return realpathSync(candidate);
    const parent = dirname(directory);
    if (parent === directory) return null;
    directory = parent;
  }
}
