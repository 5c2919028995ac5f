/**
 * Where a library comes from: what each place had, and whether that may be loaded.
 *
 * @module
 */
import { statSync } from "node:fs";
import { isPermissionRefusal, permissionError, withPermission } from "../../ffi/errors.ts";
import type { LoadAttempt } from "../errors.ts";
import { ownProperties, requireOneOf, requirePath } from "../options.ts";
import { admit, type ResolvedLibrary, unusable } from "./admission.ts";
import { errorCode } from "../system/files.ts";
import { missingFromRelease } from "./hashes.ts";
import { VARIANTS } from "./manifest.ts";
import { notFound } from "./not-found.ts";
import { type LibraryRequest, NO_PATH, type Place, places } from "./places.ts";

export type { ResolvedLibrary } from "./admission.ts";
export { manifestOf, manifestPath } from "./hashes.ts";
export { LIBRARY_VARIABLE, type LibraryOrigin, type LibraryRequest } from "./places.ts";

/** What says that nothing is at a path. */
const MISSING: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

/**
 * Whether something is at a path. What is there must be a regular file: reading a named pipe would
 * wait for a writer, perhaps for ever.
 *
 * @throws {LibraryLoadError} when it is another kind of file, or when the release has a file there and it is gone.
 */
export function isThere(place: Place, path: string, attempts: readonly LoadAttempt[]): boolean {
  let why = "it is not a regular file";
  try {
    if (statSync(path).isFile()) return true;
  } catch (error) {
    if (isPermissionRefusal(error)) {
      throw permissionError(`look at "${path}"`, "--allow-read", error);
    }
    const absent = MISSING.has(errorCode(error));
    const missing = absent ? missingFromRelease(place, path) : null;
    if (absent && missing === null) return false;
    why = missing ?? `it cannot be examined (${errorCode(error) || error})`;
  }
  throw unusable(place, path, why, attempts);
}

/**
 * Finds a library, and checks that it may be loaded: see {@linkcode admit}.
 *
 * @throws {LibraryLoadError} when there is none, or it may not be loaded.
 * @throws {PermissionError} when the runtime does not permit to read files.
 * @throws {TypeError | RangeError} when the path is no path, or the variant is unknown.
 */
export function resolveLibrary(given: LibraryRequest): ResolvedLibrary {
  const request = ownProperties(given);
  const { path: named, variant } = request;
  requirePath("look for a library", "its path", named);
  if (variant !== undefined) {
    requireOneOf("look for a library", "its variant", variant, VARIANTS);
  }
  return withPermission("look for native libraries", "--allow-read", () => {
    const attempts: LoadAttempt[] = [];
    for (const place of places(request)) {
      const { origin, paths, absent = "" } = place;
      for (const path of paths) {
        if (isThere(place, path, attempts)) return admit(request, place, path, attempts);
        attempts.push({ origin, path, outcome: "no such file" });
      }
      if (paths.length === 0) attempts.push({ origin, path: NO_PATH, outcome: absent });
    }
    throw notFound(request, attempts);
  });
}
