/**
 * What has to hold before a library's file may be loaded.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { isPermissionRefusal } from "../../ffi/errors.ts";
import { withFile } from "../binary/file-source.ts";
import { LibraryLoadError, type LoadAttempt } from "../errors.ts";
import { errorCode } from "../system/files.ts";
import { judge, manifestPath, ownRemedy, readManifest, sha256OfOpened } from "./hashes.ts";
import type { LibraryManifest } from "./manifest.ts";
import { cacheExposure, type Exposure, fileExposure, isWithin } from "./ownership.ts";
import { libraryFault } from "./file-fault.ts";
import type { LibraryOrigin, LibraryRequest, LoadableLibrary, Place } from "./places.ts";

/** A library file that may be loaded. */
export interface ResolvedLibrary {
  /** Which library. */
  readonly name: LoadableLibrary;
  /** The file's real path. */
  readonly path: string;
  /** Which place it was found in. */
  readonly origin: LibraryOrigin;
  /** The file's sha256, in hexadecimal; `null` when the file was replaced since it was loaded. */
  readonly sha256: string | null;
  /** Its manifest, whose hash agrees; `null` when it has none. */
  readonly manifest: LibraryManifest | null;
  /** The places that were looked at before, and why they were passed over. */
  readonly attempts: readonly LoadAttempt[];
}

const READABLE = "Give the path of a shared library that this user may read.";

/** The error for a file that is there and may not be loaded. */
export function unusable(
  place: Place,
  path: string,
  why: string,
  attempts: readonly LoadAttempt[],
  options: { readonly remedy?: string; readonly cause?: unknown } = {},
): LibraryLoadError {
  const { origin } = place;
  const { remedy = ownRemedy(place) ?? READABLE, cause } = options;
  return new LibraryLoadError(
    `Cannot load "${path}": ${why}. ${remedy}`,
    [...attempts, { origin, path, outcome: `refused: ${why}` }],
    { cause },
  );
}

/** Reads something of a library's file; the file system's errors become the library's. */
function reading<T>(
  place: Place,
  path: string,
  attempts: readonly LoadAttempt[],
  read: () => T,
): T {
  try {
    return read();
  } catch (error) {
    const code = errorCode(error);
    if (isPermissionRefusal(error) || code === "") throw error;
    const why = `it cannot be read (${code})`;
    throw unusable(place, path, why, attempts, { cause: error });
  }
}

/** How others can alter what is at a path of the cache, between now and its loading or later. */
function exposureIn(cache: string, path: string, real: string): Exposure | null {
  const realCache = realpathSync(cache);
  const directory = dirname(real);
  // Where a link leads out of the cache, the directory that holds the file is judged as a cache.
  const beyond = cacheExposure(isWithin(realCache, directory) ? realCache : directory, directory);
  return cacheExposure(cache, dirname(path)) ?? beyond ??
    fileExposure(path) ?? fileExposure(real) ??
    fileExposure(manifestPath(path)) ?? fileExposure(manifestPath(real));
}

/**
 * The library at a path of a place, read and checked: that nobody else can write to it, where it
 * is in the cache; that it is what its manifest and the release say; that it is not truncated.
 *
 * @throws {LibraryLoadError} when one of these does not hold.
 */
export function admit(
  { name }: LibraryRequest,
  place: Place,
  path: string,
  attempts: readonly LoadAttempt[],
): ResolvedLibrary {
  const real = realpathSync(path);
  const exposure = place.cache === undefined ? null : exposureIn(place.cache, path, real);
  if (exposure !== null) {
    throw unusable(place, real, exposure.why, attempts, { remedy: exposure.remedy });
  }
  const { sha256, fault } = reading(
    place,
    real,
    attempts,
    () =>
      withFile(real, (source, descriptor) => ({
        sha256: sha256OfOpened(descriptor),
        fault: libraryFault({ name: real, source }, process.platform),
      })),
  );
  // A link's own manifest counts as well: who put the link there named the hash.
  const beside = readManifest(path) ?? readManifest(real);
  const { why, remedy } = judge(place, sha256, beside);
  if (why !== null) throw unusable(place, real, why, attempts, { remedy });
  if (fault !== null) throw unusable(place, real, fault.why, attempts, { cause: fault.cause });
  const manifest = beside?.manifest ?? null;
  if (manifest !== null && manifest.allocator !== name) {
    const other = `its manifest says that it is ${manifest.allocator} ${manifest.version}, not ` +
      name;
    throw unusable(place, real, other, attempts);
  }
  return { name, path: real, origin: place.origin, sha256, manifest, attempts };
}
