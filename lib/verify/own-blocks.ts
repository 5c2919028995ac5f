/**
 * The allocator of offheap's own blocks: which it is, and what was found of it. What was found is kept,
 * by what was asked for.
 *
 * @module
 */
import process from "node:process";
import {
  type AllocatorName,
  allocatorNamed,
  ALLOCATORS,
  isLoadable,
  type LoadableAllocator,
} from "../allocators/mod.ts";
import { ALLOCATOR_VARIABLE, selectAllocator } from "../allocators/policy.ts";
import type { MemoryOpener } from "../allocators/types.ts";
import { readVariable } from "../environment.ts";
import { UnsupportedOperationError } from "../errors.ts";
import { LIBRARY_VARIABLE, type ResolvedLibrary } from "../library/resolve.ts";
import { examineLibrary, examineSystem } from "./findings.ts";
import type { LibraryFinding } from "./library.ts";
import { checkOptions, type VerifyOptions } from "./options.ts";
import { findOwnLibrary, servingAllocator } from "./own-library.ts";
import type { LibraryReport, Verification } from "./types.ts";

/** The allocator that serves the process, where offheap hands out blocks of it. */
function servingOwner(options: VerifyOptions): LoadableAllocator | null {
  const name = servingAllocator(options);
  return name === null || allocatorNamed(name).openMemory === null ? null : name;
}

/** Who serves the process goes before the policy: one instance is better than two. */
export function chooseAllocator(options: VerifyOptions): AllocatorName {
  const { allocator, origin } = selectAllocator({
    platform: process.platform,
    option: options.allocator,
    environment: { [ALLOCATOR_VARIABLE]: readVariable(ALLOCATOR_VARIABLE) },
  });
  return (origin === "policy" ? servingOwner(options) : null) ?? allocator;
}

/** What is kept of an allocator. */
export interface Kept {
  /** Its library; `null` for the system's allocator. */
  readonly resolved: ResolvedLibrary | null;
  /** What was found of it. */
  readonly finding: LibraryFinding;
  /** The whole answer, where one was asked for. */
  readonly answer: Verification | null;
}

/**
 * What was found before in this thread, by what was asked. It stays when a file is replaced: a library
 * that is loaded does not change, and the new file would be a second copy beside it.
 */
const kept = new Map<string, Kept>();

/** Everything that an answer depends on, beside the process itself. */
function keyOf(name: AllocatorName, { library, variant }: VerifyOptions): string {
  return JSON.stringify([name, library, variant ?? "release", readVariable(LIBRARY_VARIABLE)]);
}

/** What was found before. */
export function keptFor(name: AllocatorName, options: VerifyOptions): Kept | undefined {
  return kept.get(keyOf(name, options));
}

/** Keeps what was found. */
export function keep(name: AllocatorName, options: VerifyOptions, found: Kept): void {
  kept.set(keyOf(name, options), found);
}

/**
 * The library to use: the one that was loaded and proven before, where there is one.
 *
 * @throws {LibraryLoadError} when there is none, or it may not be loaded.
 */
export function libraryFor(name: LoadableAllocator, options: VerifyOptions): ResolvedLibrary {
  const before = keptFor(name, options);
  const proven = before?.finding.verified === true ? before.resolved : null;
  return proven ?? findOwnLibrary(name, options);
}

/** A library, for reports. */
export function describeLibrary(library: ResolvedLibrary): LibraryReport {
  const { path, origin, sha256, manifest } = library;
  return { path, origin, sha256, manifest: manifest !== null };
}

/** What was found of the blocks that offheap hands out itself. */
export interface OwnBlocks extends LibraryFinding {
  /** The allocator. */
  readonly name: AllocatorName;
  /** What opens its memory. */
  readonly openMemory: MemoryOpener;
  /** Its library file; `null` for the system's allocator. */
  readonly resolved: ResolvedLibrary | null;
  /** The same, for reports. */
  readonly library: LibraryReport | null;
}

function requireMemory(action: string, name: AllocatorName): MemoryOpener {
  const { openMemory: opener } = allocatorNamed(name);
  if (opener !== null) return opener;
  const others = ALLOCATORS.filter(({ openMemory }) => openMemory !== null)
    .map((each) => `"${each.name}"`);
  throw new UnsupportedOperationError(
    `Cannot ${action}: offheap hands out no blocks of ${name}. Take one of ${
      others.join(", ")
    }: in ` +
      `a process that ${name} serves, the blocks of "system" are its own.`,
  );
}

/**
 * The library half of {@linkcode verifyAllocator}, for whoever is to use the blocks: that there is
 * no library is an error here.
 *
 * @throws {LibraryLoadError} when there is no library, or it cannot be loaded.
 * @throws {SymbolError} when it is another library.
 * @throws {UnsupportedOperationError} when offheap hands out no blocks of it.
 * @throws {TypeError | RangeError} for bad options.
 */
export function proveOwnBlocks(action: string, options: VerifyOptions): OwnBlocks {
  const own = checkOptions(action, options);
  const name = chooseAllocator(own);
  const openMemory = requireMemory(action, name);
  if (!isLoadable(name)) {
    return { name, openMemory, ...examineSystem().library, resolved: null, library: null };
  }
  const before = keptFor(name, own);
  const resolved = libraryFor(name, own);
  const finding = before?.finding.verified === true
    ? before.finding
    : examineLibrary(name, resolved);
  if (finding !== before?.finding && finding.verified) {
    keep(name, own, { resolved, finding, answer: null });
  }
  return { name, openMemory, ...finding, resolved, library: describeLibrary(resolved) };
}
