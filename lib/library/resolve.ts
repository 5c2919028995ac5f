/**
 * Where a library comes from: the places in their order, and what each had.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { LibraryLoadError, type LoadAttempt } from "../errors.ts";
import { withPermission } from "../../ffi/errors.ts";
import { readEnvironment, readVariable } from "../environment.ts";
import {
  buildDirectory,
  cachedBuildDirectory,
  cacheDirectory,
  libraryFileName,
} from "./directories.ts";
import type { LibraryManifest, LibraryName, Variant } from "./manifest.ts";
import { systemLibraryPaths } from "./system-libraries.ts";
import { hostTarget } from "./target.ts";

/** Which place a library was found in. */
export type LibraryOrigin = "option" | "environment" | "build" | "package" | "cache" | "system";

/** The environment variable that names a library file. */
export const LIBRARY_VARIABLE = "OFFHEAP_LIBRARY";

/** What to look for. */
export interface LibraryRequest {
  /** Which library. */
  readonly name: LibraryName;
  /** An explicit path: nothing else is then looked at. */
  readonly path?: string | undefined;
  /** How it was built; `release` unless told otherwise. */
  readonly variant?: Variant | undefined;
}

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

interface Place {
  readonly origin: LibraryOrigin;
  readonly paths: readonly string[];
  /** A path that somebody named is taken, or refused: nothing else is looked at. */
  readonly explicit: boolean;
}

/** This checkout's root; `null` when this module was not loaded from a file. */
function checkoutRoot(): string | null {
  if (!import.meta.url.startsWith("file:")) return null;
  return fileURLToPath(new URL("../../", import.meta.url));
}

function packageDirectory(target: string): string | null {
  const base = import.meta.url.startsWith("file:") ? import.meta.url : join(process.cwd(), "x.js");
  try {
    return join(createRequire(base).resolve(`@offheap/${target}/package.json`), "..");
  } catch {
    // The platform package is optional: that it is not installed is an ordinary answer.
    return null;
  }
}

function explicitPlaces(request: LibraryRequest): Place[] {
  if (request.path !== undefined) {
    return [{ origin: "option", paths: [request.path], explicit: true }];
  }
  // The variable names an allocator's library, never the shim that goes with it.
  const named = request.name === "offheap" ? undefined : readVariable(LIBRARY_VARIABLE);
  return named === undefined ? [] : [{ origin: "environment", paths: [named], explicit: true }];
}

function places(request: LibraryRequest): Place[] {
  const explicit = explicitPlaces(request);
  if (explicit.length > 0) return explicit;
  const target = hostTarget().name;
  const variant = request.variant ?? "release";
  const file = libraryFileName(request.name, process.platform);
  const root = checkoutRoot();
  const packaged = packageDirectory(target);
  const within = (directory: string | null) => directory === null ? [] : [join(directory, file)];
  const cache = cacheDirectory(readEnvironment(), process.platform);
  const cached = cache === null ? null : cachedBuildDirectory(cache, target, variant);
  const found: Place[] = [
    {
      origin: "build",
      paths: within(root === null ? null : buildDirectory(root, target, variant)),
      explicit: false,
    },
    { origin: "package", paths: variant === "release" ? within(packaged) : [], explicit: false },
    { origin: "cache", paths: within(cached), explicit: false },
  ];
  if (variant === "release") {
    found.push({ origin: "system", paths: systemLibraryPaths(request.name), explicit: false });
  }
  return found;
}

/** The path of the manifest that belongs to a library file. */
export function manifestPath(library: string): string {
  return `${library}.json`;
}

/**
 * The manifest beside a library; `null` when there is none.
 *
 * @throws {LibraryLoadError} when it cannot be read.
 */
export function manifestOf(path: string): LibraryManifest | null {
  const file = manifestPath(path);
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, "utf8")) as LibraryManifest;
  } catch (error) {
    throw new LibraryLoadError(
      `Cannot load "${path}": its manifest "${file}" cannot be read (${inspect(error)}). ` +
        'Build it anew with "offheap build --force".',
      [],
      { cause: error },
    );
  }
}

function take(
  request: LibraryRequest,
  place: Place,
  path: string,
  attempts: readonly LoadAttempt[],
): ResolvedLibrary {
  const real = realpathSync(path);
  const sha256 = createHash("sha256").update(readFileSync(real)).digest("hex");
  const manifest = manifestOf(real);
  if (manifest !== null && manifest.sha256 !== sha256) {
    const outcome = `refused: its sha256 is ${sha256}, and its manifest says ${manifest.sha256}`;
    throw new LibraryLoadError(
      `Cannot load "${real}": its sha256 is ${sha256}, but its manifest says ` +
        `${manifest.sha256}: the file was altered after it was built. ` +
        'Build it anew with "offheap build --force".',
      [...attempts, { origin: place.origin, path: real, outcome }],
    );
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
 */
export function resolveLibrary(request: LibraryRequest): ResolvedLibrary {
  if (request.path !== undefined && (typeof request.path !== "string" || request.path === "")) {
    throw new TypeError(
      `Cannot look for a library: its path must be a string that is not empty; ` +
        `got ${inspect(request.path)}`,
    );
  }
  return withPermission("look for native libraries", "--allow-read", () => {
    const attempts: LoadAttempt[] = [];
    for (const place of places(request)) {
      for (const path of place.paths) {
        if (existsSync(path)) return take(request, place, path, attempts);
        attempts.push({ origin: place.origin, path, outcome: "no such file" });
        if (place.explicit) throw notFound(request, attempts);
      }
      if (place.paths.length === 0) {
        attempts.push({ origin: place.origin, path: "-", outcome: "not there" });
      }
    }
    throw notFound(request, attempts);
  });
}
