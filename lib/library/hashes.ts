/**
 * A library's hash against the two that vouch for it: its manifest's, and, for platform packages,
 * the release's.
 *
 * @module
 */
import { BUILD_COMMAND } from "../build-command.ts";
import { readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { isPermissionRefusal } from "../../ffi/errors.ts";
import { isStandalone, sha256 } from "../../ffi/mod.ts";
import { withFile } from "../binary/file-source.ts";
import { LibraryLoadError } from "../errors.ts";
import { errorCode } from "../system/files.ts";
import { VERSION } from "../version.ts";
import type { LibraryManifest } from "./manifest.ts";
import type { LibraryOrigin, Place } from "./places.ts";
import { RELEASE_HASHES } from "./release-hashes.ts";

const SHA256 = /^[0-9a-f]{64}$/;

/** How a library compares with what vouches for it. */
export type IntegrityVerdict =
  | "intact"
  | "altered"
  | "no manifest"
  | "not of this release"
  | "missing";

/** A comparison's outcome. */
export interface Judgement {
  /** The outcome in a word or two. */
  readonly verdict: IntegrityVerdict;
  /** What speaks against loading it, as a clause; `null` when nothing does. */
  readonly why: string | null;
  /** What to do about that, as a sentence. */
  readonly remedy: string;
}

/** What the release says of a library: hashes of the file and of its manifest. */
export interface ReleasedHashes {
  /** The library's sha256; `undefined` when the release has no such library. */
  readonly library: string | undefined;
  /** Its manifest's sha256. */
  readonly manifest: string | undefined;
}

/** The path of the manifest that belongs to a library file. */
export function manifestPath(library: string): string {
  return `${library}.json`;
}

/** How much of a file is in memory at once, in bytes. */
const CHUNK = 65_536;

/** A file's bytes, each piece until the next: the memory for all takes longer to get than a hash. */
function* piecesOf(descriptor: number): Generator<Uint8Array> {
  const bytes = new Uint8Array(CHUNK);
  let count = readSync(descriptor, bytes);
  while (count > 0) {
    yield bytes.subarray(0, count);
    count = readSync(descriptor, bytes);
  }
}

/** The sha256 of an open file that nothing was read of, in hexadecimal. */
export function sha256OfOpened(descriptor: number): string {
  return sha256(piecesOf(descriptor));
}

/** The sha256 of a file, in hexadecimal. */
export function sha256OfFile(path: string): string {
  return withFile(path, (_, descriptor) => sha256OfOpened(descriptor));
}

/** A manifest as it was read. */
export interface ManifestFile {
  /** What it says. */
  readonly manifest: LibraryManifest;
  /** The sha256 of the manifest's own file. */
  readonly sha256: string;
}

/**
 * The manifest beside a library; `null` when there is none.
 *
 * @throws {LibraryLoadError} when it cannot be read, or is not a manifest.
 */
export function readManifest(path: string): ManifestFile | null {
  const file = manifestPath(path);
  try {
    const bytes = readFileSync(file);
    const manifest: Partial<LibraryManifest> | null = JSON.parse(bytes.toString("utf8"));
    if (!SHA256.test(String(manifest?.sha256))) throw new SyntaxError("it names no sha256");
    return { manifest: manifest as LibraryManifest, sha256: sha256([bytes]) };
  } catch (error) {
    if (isPermissionRefusal(error)) throw error;
    if (errorCode(error) === "ENOENT") return null;
    const why = error instanceof Error ? error.message : String(error);
    throw new LibraryLoadError(
      `Cannot load "${path}": its manifest "${file}" cannot be used (${why}). ` +
        BUILD_AGAIN,
      [],
      { cause: error },
    );
  }
}

/** What {@linkcode readManifest} says, without the hash of the file. */
export function manifestOf(path: string): LibraryManifest | null {
  return readManifest(path)?.manifest ?? null;
}

/** What this release says of the library of a place; `null` where it says nothing. */
export function releasedHashes({ released }: Place): ReleasedHashes | null {
  if (released === undefined || Object.keys(RELEASE_HASHES).length === 0) return null;
  const files = RELEASE_HASHES[released.target] ?? {};
  return { library: files[released.file], manifest: files[manifestPath(released.file)] };
}

/** The name that a directory's `package.json` says; `null` when it cannot be read. */
function packageName(directory: string): string | null {
  try {
    return JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))?.name ?? null;
  } catch (error) {
    if (isPermissionRefusal(error)) throw error;
    return null;
  }
}

/**
 * Why nothing may be at a path of a place, as a clause: the release has a library there, and the
 * package is installed. A compiled program has the package's modules in it, and no libraries.
 */
export function missingFromRelease(place: Place, path: string): string | null {
  const { released } = place;
  if (released === undefined || releasedHashes(place)?.library === undefined) return null;
  const directory = path.slice(0, -released.file.length);
  if (isStandalone() || packageName(directory) !== released.package) return null;
  return `it is missing, and offheap ${VERSION} was released with it in ${released.package}`;
}

const BUILD_AGAIN = `Build it again with "${BUILD_COMMAND} --force".`;

/** What to do about a file of offheap's own that cannot be used, as a sentence, by its place. */
const OWN_REMEDIES: Partial<Record<LibraryOrigin, (place: Place) => string>> = {
  build: () => 'Build it again with "npm run build:native -- --force".',
  package: ({ released }) => `Install ${released?.package} ${VERSION} again.`,
  executable: () => "Copy it and its manifest beside the program again.",
  cache: () => BUILD_AGAIN,
};

/** The remedy for a place that offheap fills; `null` for a path that somebody named, or a system's. */
export function ownRemedy(place: Place): string | null {
  return OWN_REMEDIES[place.origin]?.(place) ?? null;
}

/** Compares a library with its manifest, and, where it is one of a package, with the release. */
export function judge(place: Place, sha256: string, beside: ManifestFile | null): Judgement {
  const own = ownRemedy(place);
  const remedy = own ?? BUILD_AGAIN;
  const altered = (why: string): Judgement => ({ verdict: "altered", why, remedy });
  if (beside !== null && beside.manifest.sha256 !== sha256) {
    return altered(
      `its sha256 is ${sha256}, but its manifest says ${beside.manifest.sha256}: the file was ` +
        "altered after it was built",
    );
  }
  const released = releasedHashes(place);
  // What offheap puts into a place has a manifest; a system's library and a named one need none.
  const bare: Judgement = {
    verdict: "no manifest",
    why: own === null ? null : "it has no manifest",
    remedy,
  };
  const intact: Judgement = { verdict: "intact", why: null, remedy };
  if (released === null) return beside === null ? bare : intact;
  const unreleased = (why: string): Judgement => ({ verdict: "not of this release", why, remedy });
  if (released.library === undefined) {
    return unreleased(`offheap ${VERSION} was released without such a library`);
  }
  if (released.library !== sha256) {
    return unreleased(
      `its sha256 is ${sha256}, but offheap ${VERSION} was released with ${released.library}: ` +
        "the file was replaced, or its package is of another version",
    );
  }
  if (beside === null) return bare;
  if (released.manifest !== undefined && released.manifest !== beside.sha256) {
    return altered(
      `its manifest's own sha256 is ${beside.sha256}, but offheap ${VERSION} was released with ` +
        `${released.manifest}: the manifest was altered`,
    );
  }
  return intact;
}
