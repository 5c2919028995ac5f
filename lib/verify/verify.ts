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
  ALLOCATOR_VARIABLE,
  type AllocatorChoice,
  type AllocatorName,
  selectAllocator,
} from "../policy.ts";
import { readVariable } from "../environment.ts";
import { LibraryLoadError, SymbolError } from "../errors.ts";
import { type Variant, VARIANTS } from "../library/manifest.ts";
import { type ResolvedLibrary, resolveLibrary } from "../library/resolve.ts";
import { ownOptions, requireOneOf, requirePath } from "../options.ts";
import { system } from "../system/mod.ts";
import type { ForeignAddress } from "../system/types.ts";
import {
  type LibraryFinding,
  type LoadableAllocator,
  verifyLibrary,
  withLibraryBlocks,
} from "./library.ts";
import { openProcessBlocks, type ProcessFinding, verifyProcess } from "./process.ts";
import type { BlockSource } from "./probe.ts";
import type { LibraryReport, RuntimeAllocator, Verification } from "./types.ts";

/** What to verify. */
export interface VerifyOptions {
  /** The allocator of offheap's own blocks; `auto`, the default, is the policy's. */
  readonly allocator?: AllocatorChoice | undefined;
  /** The path of its library; without it the usual places are looked at. */
  readonly library?: string | undefined;
  /** How the library was built; `release` unless told otherwise. */
  readonly variant?: Variant | undefined;
}

const OPTION_NAMES: readonly (keyof VerifyOptions)[] = ["allocator", "library", "variant"];

const HEADER_ROOM = 16;
const CONTROL_BYTES = 3001;

function checkOptions(action: string, options: VerifyOptions): VerifyOptions {
  const own = ownOptions(action, options, OPTION_NAMES);
  const { allocator, library, variant } = own;
  requirePath(action, "the library", library);
  if (variant !== undefined) requireOneOf(action, "the variant", variant, VARIANTS);
  if (allocator !== "system" || library === undefined) return own;
  throw new TypeError(
    `Cannot ${action}: the library must be left out for the allocator "system"; ` +
      `got ${inspect(library)}`,
  );
}

/** Bun tells the version of its own mimalloc among `process.versions`; the others have none. */
function runtimeAllocator(): RuntimeAllocator | null {
  const { mimalloc } = process.versions as NodeJS.Dict<string>;
  if (mimalloc === undefined) return null;
  return {
    name: "mimalloc",
    note: `${foreign().runtime.name} links its own mimalloc (${mimalloc}) statically and keeps ` +
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

function shimPath(): string | null {
  try {
    return resolveLibrary({ name: "offheap" }).path;
  } catch (error) {
    // Without the shim one counter cannot be read; the evidence says so.
    if (error instanceof LibraryLoadError) return null;
    throw error;
  }
}

/** The object behind `malloc`, to tell whether process and library are one instance. */
function servesProcess(path: string): boolean {
  return system().findSymbol("malloc")?.object === path;
}

function findLibrary(
  name: LoadableAllocator,
  options: VerifyOptions,
): ResolvedLibrary | LibraryLoadError {
  try {
    return resolveLibrary({ name, path: options.library, variant: options.variant });
  } catch (error) {
    // That no library is there is a finding about the library; the process has its own.
    if (error instanceof LibraryLoadError) return error;
    throw error;
  }
}

function examineLibrary(name: LoadableAllocator, library: ResolvedLibrary): LibraryFinding {
  const controls = system().foreignAddresses();
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
}

/** A library's block is a control only when it was proven to be the library's own. */
function examineProcess(name: LoadableAllocator, library: ResolvedLibrary | null): ProcessFinding {
  const controls = system().foreignAddresses();
  const shim = shimPath();
  if (library === null || servesProcess(library.path)) return verifyProcess(shim, controls);
  return withLibraryBlocks(
    name,
    library.path,
    (blocks) =>
      withForeignBlock(
        "a block of offheap's library",
        blocks,
        controls,
        (all) => verifyProcess(shim, all),
      ),
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
  const found = findLibrary(name, options);
  if (found instanceof LibraryLoadError) {
    return { process: examineProcess(name, null), library: unusable(found), resolved: null };
  }
  let library;
  try {
    library = examineLibrary(name, found);
  } catch (error) {
    // A file that cannot be loaded, or is another library, is a finding about the library.
    if (!(error instanceof LibraryLoadError || error instanceof SymbolError)) throw error;
    const resolved = error instanceof SymbolError ? found : null;
    return { process: examineProcess(name, null), library: unusable(error), resolved };
  }
  return {
    process: examineProcess(name, library.verified ? found : null),
    library,
    resolved: found,
  };
}

function examineSystem(): Findings {
  const found = verifyProcess(shimPath(), system().foreignAddresses());
  return { process: found, library: systemFinding(found), resolved: null };
}

function chooseAllocator({ allocator }: VerifyOptions): AllocatorName {
  return selectAllocator({
    platform: process.platform,
    option: allocator,
    environment: { [ALLOCATOR_VARIABLE]: readVariable(ALLOCATOR_VARIABLE) },
  }).allocator;
}

/** What was found of the blocks that offheap hands out itself. */
export interface OwnBlocks extends LibraryFinding {
  /** The allocator. */
  readonly name: AllocatorName;
  /** Its library file; `null` for the system's allocator. */
  readonly resolved: ResolvedLibrary | null;
  /** The same, for reports. */
  readonly library: LibraryReport | null;
}

/** What was proven before in this thread, by path: a file that is loaded does not change. */
const proven = new Map<string, LibraryFinding>();

/**
 * The library half of {@linkcode verifyAllocator}, for whoever is to use the blocks: that there is
 * no library is an error here.
 *
 * @throws {LibraryLoadError} when there is no library, or it cannot be loaded.
 * @throws {SymbolError} when it is another library.
 * @throws {TypeError | RangeError} for bad options.
 */
export function proveOwnBlocks(action: string, options: VerifyOptions): OwnBlocks {
  const own = checkOptions(action, options);
  const name = chooseAllocator(own);
  if (name === "system") {
    return { name, ...examineSystem().library, resolved: null, library: null };
  }
  const { library: path, variant } = own;
  const resolved = resolveLibrary({ name, path, variant });
  const key = `${name} ${resolved.path} ${resolved.sha256}`;
  const finding = proven.get(key) ?? examineLibrary(name, resolved);
  if (finding.verified) proven.set(key, finding);
  return { name, ...finding, resolved, library: describeLibrary(resolved) };
}

/**
 * Finds out, by evidence, which allocator offheap's own blocks come from and which one serves
 * libc's `malloc` in this process. Loads the library when it is not loaded yet. Allocates and
 * frees blocks of up to 384 MiB, of which no page is touched, to watch counters move.
 *
 * A library that is missing is a finding, not an error: its evidence says why.
 *
 * @throws {TypeError | RangeError} for bad options.
 * @throws {PermissionError} when the runtime does not permit FFI, reading, or the environment.
 * @throws {UnsupportedRuntimeError} when the runtime has no foreign function interface.
 */
export function verifyAllocator(options: VerifyOptions = {}): Verification {
  const own = checkOptions("verify the allocator", options);
  const allocator = chooseAllocator(own);
  const found = allocator === "system" ? examineSystem() : examineLoadable(allocator, own);
  return {
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
    library: found.resolved === null ? null : describeLibrary(found.resolved),
    evidence: [...found.library.evidence, ...found.process.evidence],
  };
}
