/**
 * Where a library comes from: what each place had, and whether that may be loaded.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readFileSync, realpathSync, statSync } from "node:fs";
import process from "node:process";
import { isPermissionRefusal, permissionError, withPermission } from "../../ffi/errors.ts";
import { ElfError, parseElf } from "../binary/elf.ts";
import { MachOError, parseMachO } from "../binary/macho.ts";
import { parsePe, PeError } from "../binary/pe.ts";
import { LibraryLoadError, type LoadAttempt } from "../errors.ts";
import { requireOneOf, requirePath } from "../options.ts";
import { type LibraryManifest, type LibraryName, VARIANTS } from "./manifest.ts";
import {
  LIBRARY_VARIABLE,
  type LibraryOrigin,
  type LibraryRequest,
  type Place,
  places,
} from "./places.ts";

export { LIBRARY_VARIABLE, type LibraryOrigin, type LibraryRequest } from "./places.ts";

/** What says that nothing is at a path. */
const MISSING: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

interface LibraryFormat {
  /** What it is called, with its article. */
  readonly name: string;
  /** Reads a file of it; throws the error below, whose message says when it is none. */
  readonly parse: (bytes: Uint8Array, name: string) => unknown;
  readonly Fault: abstract new (...args: never[]) => Error;
}

const ELF: LibraryFormat = { name: "an ELF", parse: parseElf, Fault: ElfError };

/** The format of a system's libraries, where it is not ELF. */
const FORMATS: Readonly<Record<string, LibraryFormat>> = {
  darwin: { name: "a Mach-O", parse: parseMachO, Fault: MachOError },
  win32: { name: "a PE", parse: parsePe, Fault: PeError },
};

const SHA256 = /^[0-9a-f]{64}$/;

/** A library file that may be loaded. */
export interface ResolvedLibrary {
  /** Which library. */
  readonly name: LibraryName;
  /** The file's real path. */
  readonly path: string;
  /** Which place it was found in. */
  readonly origin: LibraryOrigin;
  /** The file's sha256, in hexadecimal. */
  readonly sha256: string;
  /** Its manifest, whose hash agrees; `null` when it has none. */
  readonly manifest: LibraryManifest | null;
  /** The places that were looked at before, and why they were passed over. */
  readonly attempts: readonly LoadAttempt[];
}

/** The path of the manifest that belongs to a library file. */
export function manifestPath(library: string): string {
  return `${library}.json`;
}

/**
 * The manifest beside a library; `null` when there is none.
 *
 * @throws {LibraryLoadError} when it cannot be read, or is none.
 */
export function manifestOf(path: string): LibraryManifest | null {
  const file = manifestPath(path);
  try {
    const manifest: Partial<LibraryManifest> | null = JSON.parse(readFileSync(file, "utf8"));
    if (SHA256.test(String(manifest?.sha256))) return manifest as LibraryManifest;
    throw new SyntaxError("it names no sha256");
  } catch (error) {
    if (isPermissionRefusal(error)) throw error;
    if (errorCode(error) === "ENOENT") return null;
    const why = error instanceof Error ? error.message : String(error);
    throw new LibraryLoadError(
      `Cannot load "${path}": its manifest "${file}" cannot be used (${why}). ` +
        'Build it anew with "offheap build --force".',
      [],
      { cause: error },
    );
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/**
 * Whether something is at a path. What is there must be a regular file: reading a named pipe would
 * wait for a writer, perhaps for ever.
 */
function isThere(place: Place, path: string, attempts: readonly LoadAttempt[]): boolean {
  let why = "it is not a regular file";
  try {
    if (statSync(path).isFile()) return true;
  } catch (error) {
    if (isPermissionRefusal(error)) {
      throw permissionError(`look at "${path}"`, "--allow-read", error);
    }
    if (MISSING.has(errorCode(error))) return false;
    why = `it cannot be looked at (${errorCode(error) || error})`;
  }
  throw unusable(place, path, why, attempts);
}

function unusable(
  { origin }: Place,
  path: string,
  why: string,
  attempts: readonly LoadAttempt[],
  cause?: unknown,
): LibraryLoadError {
  return new LibraryLoadError(
    `Cannot load "${path}": ${why}. Give the path of a shared library that this user may read.`,
    [...attempts, { origin, path, outcome: `refused: ${why}` }],
    { cause },
  );
}

function readLibrary(place: Place, path: string, attempts: readonly LoadAttempt[]): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isPermissionRefusal(error)) throw error;
    const why = `it cannot be read (${errorCode(error) || error})`;
    throw unusable(place, path, why, attempts, error);
  }
}

/** What is wrong with a library's file, as a clause; `null` when it is whole. */
export function libraryFault(
  bytes: Uint8Array,
  path: string,
  platform: string,
): { readonly why: string; readonly cause: Error } | null {
  const { name, parse, Fault } = FORMATS[platform] ?? ELF;
  try {
    parse(bytes, path);
    return null;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const foreign = error.message.endsWith(`not ${name} file.`);
    const why = foreign
      ? `it is not ${name} file`
      : `its ${name.replace(/^an? /, "")} file is cut off or damaged`;
    return { why, cause: error };
  }
}

/**
 * Refuses a file that is damaged: the dynamic linker maps one that is cut off without a word, and
 * the whole process then dies of the first access behind its end.
 */
function requireWhole(
  place: Place,
  path: string,
  bytes: Uint8Array,
  attempts: readonly LoadAttempt[],
): void {
  const fault = libraryFault(bytes, path, process.platform);
  if (fault !== null) throw unusable(place, path, fault.why, attempts, fault.cause);
}

function take(
  request: LibraryRequest,
  place: Place,
  path: string,
  attempts: readonly LoadAttempt[],
): ResolvedLibrary {
  const real = realpathSync(path);
  const bytes = readLibrary(place, real, attempts);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  // A link's own manifest counts as well: who put the link there named the hash.
  const manifest = manifestOf(path) ?? manifestOf(real);
  if (manifest !== null && manifest.sha256 !== sha256) {
    const outcome = `refused: its sha256 is ${sha256}, and its manifest says ${manifest.sha256}`;
    throw new LibraryLoadError(
      `Cannot load "${real}": its sha256 is ${sha256}, but its manifest says ` +
        `${manifest.sha256}: the file was altered after it was built. ` +
        'Build it anew with "offheap build --force".',
      [...attempts, { origin: place.origin, path: real, outcome }],
    );
  }
  requireWhole(place, real, bytes, attempts);
  if (manifest !== null && manifest.allocator !== request.name) {
    const why = `its manifest says that it is ${manifest.allocator} ${manifest.version}, not ` +
      request.name;
    throw unusable(place, real, why, attempts);
  }
  return { name: request.name, path: real, origin: place.origin, sha256, manifest, attempts };
}

function notFound(request: LibraryRequest, attempts: readonly LoadAttempt[]): LibraryLoadError {
  const label = request.name === "offheap" ? "offheap's shim" : request.name;
  const variant = request.variant === undefined || request.variant === "release"
    ? ""
    : ` (${request.variant})`;
  const tried = attempts.map(({ origin, path, outcome }) => `\n  ${origin}: ${path}: ${outcome}`);
  const flag = variant === "" ? "" : ` --variant ${request.variant}`;
  return new LibraryLoadError(
    `Cannot find ${label}${variant}. Build it with "offheap build${flag}", or name a file with ` +
      `${LIBRARY_VARIABLE}. Looked at:${tried.join("")}`,
    attempts,
  );
}

/**
 * Finds a library and checks its hash against its manifest.
 *
 * @throws {LibraryLoadError} when there is none, or its manifest's hash does not agree.
 * @throws {PermissionError} when the runtime does not permit to read files.
 * @throws {TypeError | RangeError} when the path is no path, or the variant is unknown.
 */
export function resolveLibrary(request: LibraryRequest): ResolvedLibrary {
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
        if (isThere(place, path, attempts)) return take(request, place, path, attempts);
        attempts.push({ origin, path, outcome: "no such file" });
      }
      if (paths.length === 0) attempts.push({ origin, path: "-", outcome: absent });
    }
    throw notFound(request, attempts);
  });
}
