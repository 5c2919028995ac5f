/**
 * The places where a library may be, in their order.
 *
 * @module
 */
import { dirname, join } from "node:path";
import process from "node:process";
import { isStandalone } from "../../ffi/mod.ts";
import type { LoadableAllocator } from "../allocators/mod.ts";
import { readVariable } from "../environment.ts";
import {
  buildDirectory,
  cachedBuildDirectory,
  cacheVariables,
  libraryFileName,
  ownCacheDirectory,
  packagedFile,
} from "./directories.ts";
import { LIBRARY_NAMES, type LibraryName, type Variant } from "./manifest.ts";
import { checkoutRoot, packageDirectories } from "./origins.ts";
import { systemLibraryPaths } from "./system-libraries.ts";
import { hostTarget } from "./target.ts";
import { releasedVariants } from "./targets.ts";

/** Which place a library was found in. */
export type LibraryOrigin =
  | "process"
  | "option"
  | "environment"
  | "build"
  | "package"
  | "executable"
  | "cache"
  | "system";

/** The environment variable that names a library file. */
export const LIBRARY_VARIABLE = "OFFHEAP_LIBRARY";

/** A library that can be looked for: an allocator, or offheap's shim. */
export type LoadableLibrary = LoadableAllocator | "offheap";

/** What to look for. */
export interface LibraryRequest {
  /** Which library. */
  readonly name: LoadableLibrary;
  /** An explicit path: nothing else is then looked at. */
  readonly path?: string | undefined;
  /** How it was built; `release` by default. */
  readonly variant?: Variant | undefined;
}

/** What an attempt has for a path where a place has none to look at. */
export const NO_PATH = "-";

/** One place. */
export interface Place {
  /** Which one. */
  readonly origin: LibraryOrigin;
  /** The paths to look at, most preferred first. */
  readonly paths: readonly string[];
  /** Why there is no path, in a report. */
  readonly absent?: string;
  /** Of the cache: its directory, which has to be in this user's hands alone. */
  readonly cache?: string;
  /** Of a platform package: what the release knows the library by. */
  readonly released?: ReleasedFile;
}

/** A library of a platform package. */
export interface ReleasedFile {
  /** The package's name. */
  readonly package: string;
  /** The target. */
  readonly target: string;
  /** The path within the package. */
  readonly file: string;
}

/** A path that somebody named is taken, or refused: nothing else is looked at. */
export function explicitPlace(request: Partial<LibraryRequest>): Place | null {
  if (request.path !== undefined) return { origin: "option", paths: [request.path] };
  // The variable names an allocator's library, never the shim that goes with it.
  const named = request.name === "offheap" ? undefined : readVariable(LIBRARY_VARIABLE);
  return named === undefined ? null : { origin: "environment", paths: [named] };
}

function within(directory: string | null, file: string): string[] {
  return directory === null ? [] : [join(directory, file)];
}

/** The places in their order; each is worked out only when those before it had nothing. */
export function* places(request: LibraryRequest): Generator<Place> {
  const explicit = explicitPlace(request);
  if (explicit !== null) yield explicit;
  else yield* usualPlaces(request);
}

/** The places where nobody had to name a path. */
export function* usualPlaces({ name, variant = "release" }: LibraryRequest): Generator<Place> {
  const built = LIBRARY_NAMES.find((each) => each === name);
  if (built !== undefined) yield* placesOfBuilds(built, variant);
  const own = systemLibraryPaths(name, variant);
  yield { origin: "system", paths: own, absent: "systems do not come with this library" };
}

function* placesOfBuilds(name: LibraryName, variant: Variant): Generator<Place> {
  const target = hostTarget().name;
  const file = libraryFileName(name, process.platform);
  const root = checkoutRoot();
  yield {
    origin: "build",
    paths: within(root === null ? null : buildDirectory(root, target, variant), file),
    absent: "offheap was not started from a clone of its repository",
  };
  yield packagePlace(target, variant, file);
  if (isStandalone()) yield executablePlace(variant, file);
  yield cachePlace(target, variant, file);
}

/** The platform package of a target. */
export function platformPackage(target: string): string {
  return `@offheap/${target}`;
}

function packagePlace(target: string, variant: Variant, library: string): Place {
  const name = platformPackage(target);
  const variants = releasedVariants(target);
  if (!variants.includes(variant)) {
    const absent = `${name} has ${variants.join(" and ")} libraries only`;
    return { origin: "package", paths: [], absent };
  }
  const file = packagedFile(library, variant);
  return {
    origin: "package",
    paths: packageDirectories(name).map((directory) => join(directory, file)),
    absent: `${name} is not installed`,
    released: { package: name, target, file },
  };
}

/**
 * What a compiled program carries with it, laid out as in a platform package but perhaps built by
 * its author. Whoever can write there could replace the program, too; beside an ordinary runtime
 * nothing is looked for.
 */
function executablePlace(variant: Variant, library: string): Place {
  const path = join(dirname(process.execPath), "offheap", packagedFile(library, variant));
  return { origin: "executable", paths: [path] };
}

function cachePlace(target: string, variant: Variant, file: string): Place {
  const cache = ownCacheDirectory();
  if (cache === null) {
    return {
      origin: "cache",
      paths: [],
      absent: `none of ${cacheVariables(process.platform).join(", ")} is set to an absolute path`,
    };
  }
  const directory = cachedBuildDirectory(cache, target, variant);
  return { origin: "cache", paths: within(directory, file), cache };
}
