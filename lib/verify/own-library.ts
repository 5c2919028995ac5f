/**
 * Which library offheap's own blocks come from: the instance that serves the process, where it is
 * the allocator asked for; else what the usual places have.
 *
 * @module
 */
import { findAllocator, isLoadable, type LoadableAllocator } from "../allocators/mod.ts";
import { readVariable } from "../environment.ts";
import { admit } from "../library/admission.ts";
import type { Variant } from "../library/manifest.ts";
import { LIBRARY_VARIABLE, type ResolvedLibrary, resolveLibrary } from "../library/resolve.ts";
import { system } from "../system/mod.ts";
import { shimPath, withControls } from "./controls.ts";
import { identifyObject } from "./identify.ts";
import { isReplaced, type ProcessFinding, verifyProcess } from "./process.ts";

/** What is asked for. */
export interface OwnLibraryRequest {
  /** The library's path. */
  readonly library?: string | undefined;
  /** How it was built. */
  readonly variant?: Variant | undefined;
}

let found: ProcessFinding | undefined;

/** The allocator that serves the process, where it is a library; asked once, too. */
let serving: LoadableAllocator | null | undefined;

/** Who serves `malloc` in this process; asked once. */
export function examineProcess(): ProcessFinding {
  found ??= withControls((controls) => verifyProcess(shimPath(), controls));
  return found;
}

/** Lets the process be examined again the next time. */
export function forgetProcess(): void {
  found = undefined;
  serving = undefined;
}

/** Whether a library is the instance that serves the process. */
export function servesProcess(path: string): boolean {
  return system().findSymbol("malloc")?.object === path;
}

/** The library that serves `malloc`, where one beside the program does. */
function servingPath(): string | null {
  const path = system().findSymbol("malloc")?.object ?? null;
  return system().mallocShowsServer && path !== system().executable() ? path : null;
}

/** Whether nobody asked for a library of his own. */
function isOpen({ library, variant }: OwnLibraryRequest): boolean {
  const named = library ?? readVariable(LIBRARY_VARIABLE);
  return named === undefined && (variant ?? "release") === "release";
}

function findServing(): LoadableAllocator | null {
  const path = servingPath();
  const known = path === null ? null : findAllocator(identifyObject(path).name);
  if (known === null || !isLoadable(known.name)) return null;
  return examineProcess().verified ? known.name : null;
}

/** The allocator that serves the process, where it is a library and no other one was named. */
export function servingAllocator(request: OwnLibraryRequest): LoadableAllocator | null {
  if (!isOpen(request)) return null;
  if (serving === undefined) serving = findServing();
  return serving;
}

/** The instance that serves the process, which is this allocator's. */
function servingLibrary(name: LoadableAllocator): ResolvedLibrary | null {
  const path = servingPath();
  if (path === null) return null;
  const place = { origin: "process", paths: [path] } as const;
  return isReplaced(path)
    ? { name, path, origin: place.origin, sha256: null, manifest: null, attempts: [] }
    : admit({ name }, place, path, []);
}

/**
 * Finds the library.
 *
 * @throws {LibraryLoadError} when there is none, or it may not be loaded.
 */
export function findOwnLibrary(
  name: LoadableAllocator,
  request: OwnLibraryRequest,
): ResolvedLibrary {
  const { library: path, variant } = request;
  return (servingAllocator(request) === name ? servingLibrary(name) : null) ??
    resolveLibrary({ name, path, variant });
}
