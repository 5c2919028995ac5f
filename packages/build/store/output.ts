/**
 * The output directory: what is up to date in it, and how finished libraries get there in one step.
 *
 * @module
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, sep } from "node:path";
import { BuildError } from "../../../lib/errors.ts";
import { libraryFileName, manifestFileName } from "../../../lib/library/directories.ts";
import type { LibraryManifest, LibraryName } from "../../../lib/library/manifest.ts";
import { cacheExposure } from "../../../lib/library/ownership.ts";
import { sha256File } from "./hashes.ts";

/** How the directories begin that a build works in. */
export const TEMPORARY_PREFIX = ".building-";

/**
 * Makes a directory and those above it. Step by step, since Node's recursive mkdir does not come
 * back from places such as /proc where nothing can be made.
 *
 * @throws {BuildError} when it cannot be made or written to.
 */
export function makeDirectory(path: string, mode?: number): void {
  try {
    makeMissing(path, mode);
    // The dot makes a file in its place fail.
    accessSync(`${path}${sep}.`, constants.W_OK);
  } catch (error) {
    const code = error instanceof Error ? Reflect.get(error, "code") : error;
    throw new BuildError(
      `Cannot write to the directory "${path}" (${code}). Make it writable, or choose another one.`,
      { cause: error },
    );
  }
}

function makeMissing(path: string, mode?: number): void {
  if (existsSync(path)) return;
  makeMissing(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Another build may have been quicker.
    if (!existsSync(path)) throw error;
  }
}

/** Only their owner lists, reads and writes the cache's directories. */
const PRIVATE_MODE = 0o700;

/**
 * Refuses a directory of the cache that others than this user can alter.
 *
 * @throws {BuildError} which says how to repair it.
 */
export function requirePrivate(cache: string, directory: string): void {
  const exposure = cacheExposure(cache, directory);
  if (exposure === null) return;
  throw new BuildError(
    `Cannot use the cache "${cache}": ${exposure.why}. ${exposure.remedy}`,
  );
}

/**
 * Makes a directory of the cache, and those above it, for this user alone.
 *
 * @throws {BuildError} when it cannot be made or written to, or others can alter it.
 */
export function makePrivateDirectory(cache: string, directory: string): void {
  requirePrivate(cache, directory);
  makeDirectory(directory, PRIVATE_MODE);
  // Somebody else may have been quicker.
  requirePrivate(cache, directory);
}

/** Removes what is left of builds that were interrupted. Hold the lock. */
export function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    rmSync(join(directory, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

/**
 * The manifest of a library that is complete: its file is there, and is the one of the manifest.
 *
 * @returns `null` when something is missing, damaged or does not agree.
 */
export function readFinished(
  directory: string,
  name: LibraryName,
  platform: string,
): LibraryManifest | null {
  const library = join(directory, libraryFileName(name, platform));
  const path = join(directory, manifestFileName(name, platform));
  if (!existsSync(library) || !existsSync(path)) return null;
  let manifest: LibraryManifest;
  try {
    manifest = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // A manifest that cannot be read is no manifest: the library is built again.
    return null;
  }
  const agrees = manifest.manifestVersion === 1 && manifest.sha256 === sha256File(library);
  return agrees ? manifest : null;
}

const LIBRARY_MODE = 0o755;
const MANIFEST_MODE = 0o644;

/**
 * Moves a library and its manifest into place. The manifest goes first: between the two moves the
 * hashes disagree, which nothing takes for a finished library.
 */
export function install(
  directory: string,
  built: string,
  manifest: LibraryManifest,
  platform: string,
): string {
  const library = join(directory, libraryFileName(manifest.allocator, platform));
  const manifestBuilt = `${built}.json`;
  writeFileSync(manifestBuilt, `${JSON.stringify(manifest, null, 2)}\n`);
  for (const [path, mode] of [[built, LIBRARY_MODE], [manifestBuilt, MANIFEST_MODE]] as const) {
    const descriptor = openSync(path, "r+");
    // Whatever the umask: what others may write to is not loaded from the cache.
    fchmodSync(descriptor, mode);
    fsyncSync(descriptor);
    closeSync(descriptor);
  }
  renameSync(manifestBuilt, join(directory, manifestFileName(manifest.allocator, platform)));
  renameSync(built, library);
  return library;
}

/**
 * Asserts that a directory's disk has space.
 *
 * @throws {BuildError} with what is there and what is needed.
 */
export function requireSpace(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const mebibytes = (value: number): string => `${Math.ceil(value / 2 ** 20)} MiB`;
  throw new BuildError(
    `Cannot build in "${directory}": its disk has ${mebibytes(free)} free, and the build needs ` +
      `${mebibytes(bytes)}. Free some space there, or build elsewhere.`,
  );
}
