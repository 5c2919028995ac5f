/**
 * Every installed library, compared with its manifest and with the release.
 *
 * @module
 */
import { existsSync, realpathSync } from "node:fs";
import { withPermission } from "../../ffi/errors.ts";
import { LibraryLoadError } from "../errors.ts";
import { ownOptions, requirePath } from "../options.ts";
import { FILES, withPermissions } from "../permissions.ts";
import { VERSION } from "../version.ts";
import { admit, unusable } from "./admission.ts";
import {
  type IntegrityVerdict,
  judge,
  type ManifestFile,
  missingFromRelease,
  readManifest,
  releasedHashes,
  sha256OfFile,
} from "./hashes.ts";
import { LIBRARY_NAMES, type LibraryName, type Variant, VARIANTS } from "./manifest.ts";
import { explicitPlace, type LibraryOrigin, type Place, usualPlaces } from "./places.ts";
import { RELEASE_HASHES } from "./release-hashes.ts";
import { isThere } from "./resolve.ts";
import { hostTarget } from "./target.ts";

export type { IntegrityVerdict } from "./hashes.ts";

/** Options of {@linkcode verifyIntegrity}. */
export interface IntegrityOptions {
  /** One more library to look at; without it, the one that `OFFHEAP_LIBRARY` names. */
  readonly library?: string | undefined;
}

/** One library that is installed, or that is missing from an installed package. */
export interface LibraryIntegrity {
  /** `jemalloc`, `mimalloc`, `offheap`; `null` for a named file whose manifest does not say. */
  readonly name: string | null;
  /** How it was built; `null` where nothing says. */
  readonly variant: Variant | null;
  /** Which place it was found in. */
  readonly origin: LibraryOrigin;
  /** The file's real path; where it cannot be followed, the path that was looked at. */
  readonly path: string;
  /** The file's sha256; `null` when it cannot be read. */
  readonly sha256: string | null;
  /** The sha256 that its manifest says; `null` without one. */
  readonly manifestSha256: string | null;
  /** The sha256 that the release says; `null` where it says nothing, as outside of packages. */
  readonly releaseSha256: string | null;
  /**
   * - `intact`: it is what its manifest says, and, in a package, what the release says;
   * - `altered`: it or its manifest is not what was built or released;
   * - `no manifest`: nothing vouches for it, which only the system's own libraries and a named one
   *   may do without;
   * - `not of this release`: library and manifest agree, and the release does not know them;
   * - `missing`: the release has it in a package that is installed, and it is not there.
   */
  readonly verdict: IntegrityVerdict;
  /** The sentence with which loading it is refused; `null` when it may be loaded. */
  readonly refusal: string | null;
}

/** What {@linkcode verifyIntegrity} found. */
export interface IntegrityReport {
  /** This version of offheap. */
  readonly version: string;
  /** The target whose libraries were looked at. */
  readonly target: string;
  /** Whether this copy of offheap has its release's hashes; a checkout has none. */
  readonly release: boolean;
  /** The libraries, in the order in which they would be taken. */
  readonly libraries: readonly LibraryIntegrity[];
  /** Whether none of them would be refused. */
  readonly intact: boolean;
}

type Outcome<T> = { readonly value: T; readonly refusal: null } | {
  readonly value: null;
  readonly refusal: string;
};

/** What comes of a use, or the sentence with which it is refused. */
function outcomeOf<T>(use: () => T): Outcome<T> {
  try {
    return { value: use(), refusal: null };
  } catch (error) {
    if (error instanceof LibraryLoadError) return { value: null, refusal: error.message };
    throw error;
  }
}

/** The manifest of a library, and whether what is beside it can be used as one. */
function manifestBeside(
  path: string,
  real: string,
): { beside: ManifestFile | null; usable: boolean } {
  try {
    return { beside: readManifest(path) ?? readManifest(real), usable: true };
  } catch (error) {
    // Why it cannot be used is in the refusal.
    if (error instanceof LibraryLoadError) return { beside: null, usable: false };
    throw error;
  }
}

interface Wanted {
  readonly name: LibraryName | null;
  readonly variant: Variant | null;
}

/** What is at a path that holds no readable file, or none where the release has one. */
function unreadable(wanted: Wanted, place: Place, path: string, refusal: string): LibraryIntegrity {
  const missing = !existsSync(path) && missingFromRelease(place, path) !== null;
  return {
    ...wanted,
    origin: place.origin,
    path,
    sha256: null,
    manifestSha256: null,
    releaseSha256: releasedHashes(place)?.library ?? null,
    verdict: missing ? "missing" : "altered",
    refusal,
  };
}

function examine(wanted: Wanted, place: Place, path: string): LibraryIntegrity {
  const real = realpathSync(path);
  const { beside, usable } = manifestBeside(path, real);
  const name = wanted.name ?? beside?.manifest.allocator ?? null;
  const { value, refusal } = outcomeOf(() => admit({ name: name ?? "offheap" }, place, path, []));
  let sha256: string;
  try {
    sha256 = value?.sha256 ?? sha256OfFile(real);
  } catch (error) {
    if (refusal === null) throw error;
    return unreadable(wanted, place, real, refusal);
  }
  return {
    name,
    variant: wanted.variant ?? beside?.manifest.variant ?? null,
    origin: place.origin,
    path: real,
    sha256,
    manifestSha256: beside?.manifest.sha256 ?? null,
    releaseSha256: releasedHashes(place)?.library ?? null,
    verdict: usable ? judge(place, sha256, beside).verdict : "altered",
    refusal,
  };
}

/** What is at one path; nothing when nothing is. */
function lookAt(wanted: Wanted, place: Place, path: string): LibraryIntegrity[] {
  const there = outcomeOf(() => isThere(place, path, []));
  if (there.refusal !== null) return [unreadable(wanted, place, path, there.refusal)];
  return there.value ? [examine(wanted, place, path)] : [];
}

/** A file that somebody named has to be there. */
function lookAtNamed(place: Place): LibraryIntegrity[] {
  return place.paths.flatMap((path) => {
    const found = lookAt({ name: null, variant: null }, place, path);
    if (found.length > 0) return found;
    throw unusable(place, path, "no such file", []);
  });
}

function* everyPlace(): Generator<readonly [Wanted, Place]> {
  for (const variant of VARIANTS) {
    for (const name of LIBRARY_NAMES) {
      for (const place of usualPlaces({ name, variant })) {
        const own = place.origin === "system";
        yield [{ name, variant: own ? null : variant }, place];
      }
    }
  }
}

/**
 * Compares every library that is installed for this machine's target with its manifest, and those of a
 * platform package with the hashes that this release of offheap carries: in the checkout's build,
 * the platform package, the user's cache and the system, each variant, and the file that was named.
 * Nothing is loaded.
 *
 * @throws {LibraryLoadError} when a file that was named is not there.
 * @throws {PermissionError} when the runtime does not permit to read files or the environment.
 * @throws {TypeError} for bad options.
 *
 * @example
 * ```ts
 * import { verifyIntegrity } from "@offheap/offheap";
 *
 * const { intact, libraries } = verifyIntegrity();
 * if (!intact) for (const { refusal } of libraries) if (refusal !== null) console.error(refusal);
 * ```
 */
export function verifyIntegrity(options: IntegrityOptions = {}): IntegrityReport {
  const action = "verify the integrity of the libraries";
  const { library } = ownOptions(action, options, ["library"]);
  requirePath(action, "the library", library);
  return withPermissions(FILES, () => lookAtAll(library));
}

function lookAtAll(library: string | undefined): IntegrityReport {
  return withPermission("look for native libraries", "--allow-read", () => {
    const named = explicitPlace({ path: library });
    const libraries = named === null ? [] : lookAtNamed(named);
    const seen = new Set(libraries.map(({ path }) => path));
    for (const [wanted, place] of everyPlace()) {
      const found = place.paths.flatMap((path) => lookAt(wanted, place, path));
      // A system's paths may lead to one file by several names.
      for (const library of found) {
        if (place.origin === "system" && seen.has(library.path)) continue;
        seen.add(library.path);
        libraries.push(library);
      }
    }
    return {
      version: VERSION,
      target: hostTarget().name,
      release: Object.keys(RELEASE_HASHES).length > 0,
      libraries,
      intact: libraries.every(({ refusal }) => refusal === null),
    };
  });
}
