/**
 * The verification as a whole.
 *
 * @module
 */
import process from "node:process";
import { inspect } from "node:util";
import { foreign } from "../../ffi/mod.ts";
import { type Address, NULL } from "../../ffi/types.ts";
import {
  type AllocatorName,
  allocatorNamed,
  ALLOCATORS,
  findAllocator,
  isLoadable,
  type LoadableAllocator,
} from "../allocators/mod.ts";
import type { MemoryOpener } from "../allocators/types.ts";
import { ALLOCATOR_VARIABLE, type AllocatorChoice, selectAllocator } from "../allocators/policy.ts";
import { readVariable } from "../environment.ts";
import { LibraryLoadError, SymbolError, UnsupportedOperationError } from "../errors.ts";
import { type Variant, VARIANTS } from "../library/manifest.ts";
import { systemUnusable } from "../library/not-found.ts";
import { LIBRARY_VARIABLE, type ResolvedLibrary } from "../library/resolve.ts";
import { ownOptions, requireFlag, requireOneOf, requirePath } from "../options.ts";
import { LIBRARIES, withPermissions } from "../permissions.ts";
import { system } from "../system/mod.ts";
import type { ForeignAddress } from "../system/types.ts";
import { type LibraryFinding, verifyLibrary, withLibraryBlocks } from "./library.ts";
import {
  examineProcess,
  findOwnLibrary,
  forgetProcess,
  keepOwnLibrary,
  servesProcess,
  servingAllocator,
} from "./own-library.ts";
import { shimPath, withControls } from "./controls.ts";
import { openProcessBlocks, type ProcessFinding, verifyProcess } from "./process.ts";
import type { BlockSource } from "../allocators/probe.ts";
import type { LibraryReport, RuntimeAllocator, Verification } from "./types.ts";

/** What to verify. */
export interface VerifyOptions {
  /**
   * The allocator of offheap's own blocks; `auto`, the default, is `OFFHEAP_ALLOCATOR`, else the one
   * that serves the process, where it is jemalloc or mimalloc, else the policy's.
   */
  readonly allocator?: AllocatorChoice | undefined;
  /** The path of its library; without it the usual places are looked at. */
  readonly library?: string | undefined;
  /** How the library was built; `release` unless told otherwise. */
  readonly variant?: Variant | undefined;
  /** Ask again, instead of giving the answer that was found before; `false` unless told otherwise. */
  readonly refresh?: boolean | undefined;
}

const OPTION_NAMES: readonly (keyof VerifyOptions)[] = [
  "allocator",
  "library",
  "variant",
  "refresh",
];

const HEADER_ROOM = 16;
const CONTROL_BYTES = 3001;

function checkOptions(action: string, options: VerifyOptions): VerifyOptions {
  const own = ownOptions(action, options, OPTION_NAMES);
  const { allocator, library, variant, refresh } = own;
  requirePath(action, "the library", library);
  requireFlag(action, "refresh", refresh);
  if (variant !== undefined) requireOneOf(action, "the variant", variant, VARIANTS);
  if (library === undefined || findAllocator(allocator)?.library !== null) return own;
  throw new TypeError(
    `Cannot ${action}: the library must be left out for the allocator "${allocator}"; ` +
      `got ${inspect(library)}`,
  );
}

/** Bun has the version of its own mimalloc among `process.versions`; the others have none. */
function runtimeAllocator(): RuntimeAllocator | null {
  const versions = process.versions as NodeJS.Dict<string>;
  const own = ALLOCATORS.find(({ name }) => Object.hasOwn(versions, name));
  if (own === undefined) return null;
  const { name } = own;
  return {
    name,
    note:
      `${foreign().runtime.name} links its own ${name} (${versions[name]}) statically and keeps ` +
      "most of its memory there: no preload replaces it, and it does not count as replaced",
  };
}

/** Runs `use` with a block of a source, as one more address that another allocator must deny. */
function withForeignBlock<R>(
  what: string,
  source: BlockSource,
  controls: readonly ForeignAddress[],
  use: (controls: readonly ForeignAddress[]) => R,
): R {
  const address: Address = source.allocate(CONTROL_BYTES);
  try {
    // An address within the block: glibc's probe reads the word before, and before a block that a
    // guarding allocator hands out there may be a page that cannot be read.
    const inside = (address + HEADER_ROOM) as Address;
    return use(address === NULL ? controls : [...controls, { what, address: inside }]);
  } finally {
    source.free(address);
  }
}

/** The system's own library stands in for one that is missing: that is what to say when it fails. */
function examineLibrary(name: LoadableAllocator, library: ResolvedLibrary): LibraryFinding {
  try {
    return examineBlocks(name, library);
  } catch (error) {
    if (library.origin !== "system" || !(error instanceof LibraryLoadError)) throw error;
    throw systemUnusable(library, error);
  }
}

function examineBlocks(name: LoadableAllocator, library: ResolvedLibrary): LibraryFinding {
  return withControls((controls) => {
    if (servesProcess(library.path)) return verifyLibrary(name, library, controls);
    const blocks = openProcessBlocks();
    try {
      return withForeignBlock(
        "a block of the process's malloc",
        blocks,
        controls,
        (all) => verifyLibrary(name, library, all),
      );
    } finally {
      blocks.close();
    }
  });
}

/** A library's block is a control only when it was proven to be the library's own. */
function examineBeside(name: LoadableAllocator, library: ResolvedLibrary): ProcessFinding {
  return withControls((controls) =>
    withLibraryBlocks(
      name,
      library.path,
      (blocks) =>
        withForeignBlock(
          "a block of offheap's library",
          blocks,
          controls,
          (all) => verifyProcess(shimPath(), all),
        ),
    )
  );
}

function unusable(error: LibraryLoadError | SymbolError): LibraryFinding {
  return {
    version: null,
    verified: false,
    evidence: [{ scope: "library", check: "symbol", outcome: "fail", detail: error.message }],
  };
}

function describeLibrary(library: ResolvedLibrary): LibraryReport {
  const { path, origin, sha256, manifest } = library;
  return { path, origin, sha256, manifest: manifest !== null };
}

/** With the system's allocator, offheap's own blocks are those of the process. */
function systemFinding(found: ProcessFinding): LibraryFinding {
  const evidence = found.evidence.map((item) => ({ ...item, scope: "library" as const }));
  return { version: found.version, verified: found.verified, evidence };
}

interface Findings {
  readonly process: ProcessFinding;
  readonly library: LibraryFinding;
  readonly resolved: ResolvedLibrary | null;
}

function examineLoadable(name: LoadableAllocator, options: VerifyOptions): Findings {
  let resolved: ResolvedLibrary | null = null;
  try {
    resolved = findOwnLibrary(name, options);
    const library = examineLibrary(name, resolved);
    if (library.verified) keepOwnLibrary(name, options, resolved);
    const apart = library.verified && !servesProcess(resolved.path);
    const found = apart ? examineBeside(name, resolved) : examineProcess();
    return { process: found, library, resolved };
  } catch (error) {
    // A file that is missing, cannot be loaded, or is another library, is a finding about it.
    if (!(error instanceof LibraryLoadError || error instanceof SymbolError)) throw error;
    const loaded = error instanceof SymbolError ? resolved : null;
    return { process: examineProcess(), library: unusable(error), resolved: loaded };
  }
}

function examineSystem(): Findings {
  const found = examineProcess();
  return { process: found, library: systemFinding(found), resolved: null };
}

/** The allocator that serves the process, where offheap hands out blocks of it. */
function servingOwner(options: VerifyOptions): LoadableAllocator | null {
  const name = servingAllocator(options);
  return name === null || allocatorNamed(name).openMemory === null ? null : name;
}

/** Who serves the process goes before the policy: one instance is better than two. */
function chooseAllocator(options: VerifyOptions): AllocatorName {
  const { allocator, origin } = selectAllocator({
    platform: process.platform,
    option: options.allocator,
    environment: { [ALLOCATOR_VARIABLE]: readVariable(ALLOCATOR_VARIABLE) },
  });
  return (origin === "policy" ? servingOwner(options) : null) ?? allocator;
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

/** What was proven before in this thread, by path: a file that is loaded does not change. */
const proven = new Map<string, LibraryFinding>();

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
  const resolved = findOwnLibrary(name, own);
  const key = `${name} ${resolved.path} ${resolved.sha256}`;
  const finding = proven.get(key) ?? examineLibrary(name, resolved);
  if (finding.verified) {
    proven.set(key, finding);
    keepOwnLibrary(name, own, resolved);
  }
  return { name, openMemory, ...finding, resolved, library: describeLibrary(resolved) };
}

/** What was found before in this thread, by what was asked. */
const answers = new Map<string, Verification>();

/** Everything that an answer depends on, beside the process itself. */
function keyOf(allocator: AllocatorName, { library, variant }: VerifyOptions): string {
  return JSON.stringify([allocator, library, variant, readVariable(LIBRARY_VARIABLE)]);
}

function ask(allocator: AllocatorName, options: VerifyOptions): Verification {
  const found = isLoadable(allocator) ? examineLoadable(allocator, options) : examineSystem();
  const evidence = [...found.library.evidence, ...found.process.evidence];
  return Object.freeze({
    runtime: foreign().runtime,
    platform: process.platform,
    arch: process.arch,
    libc: system().libc().name,
    memoryAllocator: allocator,
    memoryAllocatorVersion: found.library.version,
    memoryAllocatorVerified: found.library.verified,
    processAllocator: found.process.allocator,
    processAllocatorVersion: found.process.version,
    processAllocatorVerified: found.process.verified,
    runtimeAllocator: runtimeAllocator(),
    library: found.resolved === null ? null : Object.freeze(describeLibrary(found.resolved)),
    evidence: Object.freeze(evidence.map((item) => Object.freeze({ ...item }))),
  });
}

/**
 * Finds out, by evidence, which allocator offheap's own blocks come from and which one serves
 * libc's `malloc` in this process. Loads the library when it is not loaded yet. Allocates and
 * frees some hundred blocks of up to 384 MiB, of which no page is touched, to watch counters move.
 *
 * The process is asked once a thread, and the answer is kept, by the options; `refresh` asks again.
 * Where the allocator that is asked for serves the process, and neither a library nor a variant is
 * named, offheap's own blocks come from that instance.
 *
 * A library that is missing is a finding, not an error: its evidence says why.
 *
 * @throws {TypeError | RangeError} for bad options.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 * @throws {UnsupportedRuntimeError} when the runtime has no foreign function interface.
 */
export function verifyAllocator(options: VerifyOptions = {}): Verification {
  const own = checkOptions("verify the allocator", options);
  return withPermissions(LIBRARIES, () => answerTo(own));
}

function answerTo(options: VerifyOptions): Verification {
  const allocator = chooseAllocator(options);
  const key = keyOf(allocator, options);
  const refresh = options.refresh === true;
  if (refresh) forgetProcess();
  const kept = refresh ? undefined : answers.get(key);
  const answer = kept ?? ask(allocator, options);
  // A library that could not be had may be there the next time; who serves the process is kept.
  if (answer.library !== null || !isLoadable(allocator)) answers.set(key, answer);
  return answer;
}
