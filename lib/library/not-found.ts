/**
 * What is said of a library that is nowhere: which package has it, or how to build it.
 *
 * @module
 */
import { findAllocator } from "../allocators/mod.ts";
import { BUILD_COMMAND } from "../build-command.ts";
import { readVariable } from "../environment.ts";
import { LibraryLoadError, type LoadAttempt } from "../errors.ts";
import { VERSION } from "../version.ts";
import type { ResolvedLibrary } from "./admission.ts";
import type { Variant } from "./manifest.ts";
import {
  explicitPlace,
  LIBRARY_VARIABLE,
  type LibraryRequest,
  type LoadableLibrary,
  NO_PATH,
  platformPackage,
} from "./places.ts";
import { hostTarget } from "./target.ts";
import { releasedVariants, TARGETS } from "./targets.ts";

/** How to get a library that offheap does not build, as a sentence without its end; else `null`. */
function installationOf(name: LoadableLibrary): string | null {
  return findAllocator(name)?.library?.installation ?? null;
}

function labelOf(name: LoadableLibrary, variant: Variant): string {
  const label = name === "offheap" ? "offheap's own library" : name;
  return variant === "release" || installationOf(name) !== null ? label : `${label} (${variant})`;
}

function isAbsent(attempts: readonly LoadAttempt[], place: string): boolean {
  return attempts.some(({ origin, path }) => origin === place && path === NO_PATH);
}

/** Why there is no library and what to do, as the end of a sentence and more. */
function remedyFor(
  { name, variant = "release" }: LibraryRequest,
  attempts: readonly LoadAttempt[],
): string {
  const installation = installationOf(name);
  if (installation !== null) {
    return `: offheap does not build it. ${installation}, or name a file with --library or ` +
      `${LIBRARY_VARIABLE}.`;
  }
  const { name: target } = hostTarget();
  const released = TARGETS.some((row) => row.name === target) &&
    releasedVariants(target).includes(variant);
  const beside = attempts.find(({ origin }) => origin === "executable");
  if (beside !== undefined) {
    return `: a compiled program has no packages, and looks beside its own file. Copy the directory ` +
      `of ${platformPackage(target)} there, and name it "offheap": the library is then ` +
      `"${beside.path}".`;
  }
  if (released && isAbsent(attempts, "build") && isAbsent(attempts, "package")) {
    const missing = platformPackage(target);
    return `: the package ${missing} is not installed. Install it with "npm install ` +
      `${missing}@${VERSION}", or build the libraries with "${BUILD_COMMAND}".`;
  }
  // Without the option all that a release has is built.
  const flag = releasedVariants(target).includes(variant) ? "" : ` --variant ${variant}`;
  const or = name === "offheap" ? "" : `, or name a file with ${LIBRARY_VARIABLE}`;
  return `. Build it with "${BUILD_COMMAND}${flag}"${or}.`;
}

/** The error for a library that none of its places has. */
export function notFound(
  request: LibraryRequest,
  attempts: readonly LoadAttempt[],
): LibraryLoadError {
  const { name, variant = "release" } = request;
  const label = labelOf(name, variant);
  const named = explicitPlace(request);
  if (named !== null) {
    const by = named.origin === "option" ? "was named" : `${LIBRARY_VARIABLE} names`;
    const otherwise = installationOf(name) === null
      ? `the installed package's is taken, or what "${BUILD_COMMAND}" made`
      : "the system's own is taken";
    return new LibraryLoadError(
      `Cannot find ${label} at "${named.paths.join()}", which ${by}: no such file. Check the path, ` +
        `or leave it out: then ${otherwise}.`,
      attempts,
    );
  }
  const beside = name === "offheap" && readVariable(LIBRARY_VARIABLE) !== undefined
    ? ` ${LIBRARY_VARIABLE} names an allocator's library; this one is needed beside it.`
    : "";
  const tried = attempts.map(({ origin, path, outcome }) =>
    `\n  ${origin}: ${path === NO_PATH ? "" : `${path}: `}${outcome}`
  );
  return new LibraryLoadError(
    `Cannot find ${label}${remedyFor(request, attempts)}${beside} Looked at:${tried.join("")}`,
    attempts,
  );
}

/** The error for the system's own library, taken for want of another, that cannot be loaded. */
export function systemUnusable(
  library: ResolvedLibrary,
  cause: LibraryLoadError,
): LibraryLoadError {
  const { name, path, attempts } = library;
  return new LibraryLoadError(
    `Cannot find ${name} for use by a running program${remedyFor({ name }, attempts)} This ` +
      `system's own, "${path}", can only be preloaded.`,
    [...attempts, ...cause.attempts],
    { cause },
  );
}
