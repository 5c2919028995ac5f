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
import util from "node:util";
import { isPermissionRefusal } from "./errors.ts";

/**
 * Where this code lies: by its own word, and by the call stack's, as a bundler may put nothing or
 * another place into its own.
 */
function ownPlaces(): unknown[] {
  const { getCallSites }: { getCallSites?: typeof util.getCallSites } = util;
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
function requireFrom(user: string): NodeJS.Require {
  return process.getBuiltinModule("node:module").createRequire(user);
}

/** The name of koffi's ready-made package for a system; it needs no install script. */
export function koffiPackage(platform: string, arch: string): string {
  return `@koromix/koffi-${platform}-${arch}`;
}

/**
 * Loads koffi: its ready-made package, which comes with offheap, or the one that a user installed.
 *
 * @throws what Node throws when neither is there, or the first that is there does not load.
 */
export function requireKoffi(): unknown {
  const names = [koffiPackage(process.platform, process.arch), "koffi"];
  let missing: unknown = new Error("there is no place from which packages could be found");
  for (const require of packageUsers().map(requireFrom)) {
    for (const name of names) {
      let path;
      try {
        path = require.resolve(name);
      } catch (error) {
        if (!isMissing(error)) throw error;
        missing = error;
        continue;
      }
      return require(path);
    }
  }
  throw missing;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND";
}

/**
 * The directory of a package as a module sees it.
 *
 * @param from The path of the module.
 * @returns `null` when the package is not installed there.
 */
export function installedPackage(name: string, from: string): string | null {
  const { bun } = process.versions as NodeJS.Dict<string>;
  try {
    const plain = findAbove(name, from);
    // Bun's resolver installs a package that is missing.
    if (plain !== null || bun !== undefined) return plain;
    return dirname(requireFrom(from).resolve(`${name}/package.json`));
  } catch (error) {
    if (isPermissionRefusal(error)) throw error;
    // The package is optional: that it is not installed is an ordinary answer.
    return null;
  }
}

/** Where packages lie in directories of that name: a few looks, where a resolver takes many. */
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
