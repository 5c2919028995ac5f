/**
 * Where built libraries are, and what their files are called. Pure functions of their arguments.
 *
 * @module
 */
import { posix, win32 } from "node:path";
import process from "node:process";
import { readVariable } from "../environment.ts";
import type { LibraryName, Variant } from "./manifest.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

interface FileNames {
  readonly prefix: string;
  readonly suffix: string;
}

const DEFAULT_FILE_NAMES: FileNames = { prefix: "lib", suffix: ".so" };

const FILE_NAMES: Readonly<Record<string, FileNames>> = {
  darwin: { prefix: "lib", suffix: ".dylib" },
  win32: { prefix: "", suffix: ".dll" },
};

/** The file name of a library: `libjemalloc.so`, `libmimalloc.dylib`, `offheap.dll`. */
export function libraryFileName(name: LibraryName, platform: string): string {
  const { prefix, suffix } = FILE_NAMES[platform] ?? DEFAULT_FILE_NAMES;
  return `${prefix}${name}${suffix}`;
}

/** The file name of the manifest beside a library. */
export function manifestFileName(name: LibraryName, platform: string): string {
  return `${libraryFileName(name, platform)}.json`;
}

/** The path of a library or a manifest within its platform package, with slashes. */
export function packagedFile(file: string, variant: Variant): string {
  return variant === "release" ? file : `${variant}/${file}`;
}

/** Where a checkout's build puts the libraries: `<root>/build/native/<target>/<variant>`. */
export function buildDirectory(root: string, target: string, variant: Variant): string {
  return pathsOf(root).join(root, "build", "native", target, variant);
}

/** The variables that {@linkcode cacheDirectory} looks at on a platform. */
export function cacheVariables(platform: string): readonly string[] {
  return platform === "win32" ? ["LOCALAPPDATA", "USERPROFILE"] : ["XDG_CACHE_HOME", "HOME"];
}

/**
 * The user's cache directory for offheap: below `XDG_CACHE_HOME`, else `~/.cache`; on macOS
 * `~/Library/Caches`; on Windows `%LOCALAPPDATA%`. A relative path does not count: it would make
 * whatever directory a program is started in a cache.
 *
 * @returns `null` when the environment names none.
 */
export function cacheDirectory(environment: Environment, platform: string): string | null {
  const paths = platform === "win32" ? win32 : posix;
  const [first, home] = cacheVariables(platform).map((name) => {
    const value = environment[name] ?? "";
    return paths.isAbsolute(value) ? value : null;
  });
  if (platform === "win32") {
    if (first) return win32.join(first, "offheap", "cache");
    return home ? win32.join(home, "AppData", "Local", "offheap", "cache") : null;
  }
  if (first) return posix.join(first, "offheap");
  if (!home) return null;
  return platform === "darwin"
    ? posix.join(home, "Library", "Caches", "offheap")
    : posix.join(home, ".cache", "offheap");
}

/** The cache directory of the user who runs this; of the environment only what decides it is read. */
export function ownCacheDirectory(): string | null {
  const names = cacheVariables(process.platform);
  const variables = Object.fromEntries(names.map((name) => [name, readVariable(name)]));
  return cacheDirectory(variables, process.platform);
}

/** Where the cache keeps source archives: `<cache>/sources`. */
export function cachedSourcesDirectory(cache: string): string {
  return pathsOf(cache).join(cache, "sources");
}

/** Where `@offheap/build` puts what it builds: `<cache>/native`. */
export function cachedBuildsDirectory(cache: string): string {
  return pathsOf(cache).join(cache, "native");
}

/** Where `@offheap/build` puts the libraries: `<cache>/native/<target>/<variant>`. */
export function cachedBuildDirectory(cache: string, target: string, variant: Variant): string {
  return pathsOf(cache).join(cachedBuildsDirectory(cache), target, variant);
}

/** Windows paths keep their separators also when these functions run elsewhere. */
function pathsOf(path: string): typeof posix | typeof win32 {
  return /^[A-Za-z]:[\\/]|^\\\\/.test(path) ? win32 : posix;
}
