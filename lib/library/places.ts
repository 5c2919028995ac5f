/**
 * The places where a library may lie, in their order.
 *
 * @module
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isPermissionRefusal } from "../../ffi/errors.ts";
import { readVariable } from "../environment.ts";
import {
  buildDirectory,
  cachedBuildDirectory,
  cacheDirectory,
  cacheVariables,
  libraryFileName,
} from "./directories.ts";
import type { LibraryName, Variant } from "./manifest.ts";
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

/** One place. */
export interface Place {
  /** Which one. */
  readonly origin: LibraryOrigin;
  /** The paths to look at, most preferred first. */
  readonly paths: readonly string[];
  /** Why there is no path, in a report. */
  readonly absent?: string;
}

/** This checkout's root; `null` when this module was not loaded from a file. */
function checkoutRoot(): string | null {
  if (!import.meta.url.startsWith("file:")) return null;
  return fileURLToPath(new URL("../../", import.meta.url));
}

function packageDirectory(name: string): string | null {
  const base = import.meta.url.startsWith("file:") ? import.meta.url : join(process.cwd(), "x.js");
  try {
    return join(createRequire(base).resolve(`${name}/package.json`), "..");
  } catch (error) {
    if (isPermissionRefusal(error)) throw error;
    // The platform package is optional: that it is not installed is an ordinary answer.
    return null;
  }
}

/** A path that somebody named is taken, or refused: nothing else is looked at. */
function explicitPlace(request: LibraryRequest): Place | null {
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
  if (explicit !== null) return yield explicit;
  const target = hostTarget().name;
  const variant = request.variant ?? "release";
  const file = libraryFileName(request.name, process.platform);
  const root = checkoutRoot();
  yield {
    origin: "build",
    paths: within(root === null ? null : buildDirectory(root, target, variant), file),
    absent: "this is not a checkout",
  };
  yield packagePlace(`@offheap/${target}`, variant, file);
  const names = cacheVariables(process.platform);
  const variables = Object.fromEntries(names.map((name) => [name, readVariable(name)]));
  const cache = cacheDirectory(variables, process.platform);
  yield {
    origin: "cache",
    paths: within(cache === null ? null : cachedBuildDirectory(cache, target, variant), file),
    absent: `the environment has none of ${names.join(", ")}`,
  };
  const own = systemLibraryPaths(request.name, variant);
  yield { origin: "system", paths: own, absent: "a system has none of this kind" };
}

function packagePlace(name: string, variant: Variant, file: string): Place {
  return variant === "release"
    ? { origin: "package", paths: within(packageDirectory(name), file), absent: `no ${name}` }
    : { origin: "package", paths: [], absent: `${name} has release libraries only` };
}
