/**
 * Gathering what there is to find: of a library and, beside it, of the process. The library is opened
 * once for both.
 *
 * @module
 */
import { type Address, NULL } from "../../ffi/types.ts";
import { allocatorNamed, type LoadableAllocator } from "../allocators/mod.ts";
import type { BlockSource, OpenedLibrary } from "../allocators/probe.ts";
import { LibraryLoadError, SymbolError } from "../errors.ts";
import { systemUnusable } from "../library/not-found.ts";
import type { ResolvedLibrary } from "../library/resolve.ts";
import type { ControlAddress } from "../system/types.ts";
import { shimPath, withControls } from "./controls.ts";
import { type LibraryFinding, verifyLibrary } from "./library.ts";
import { examineProcess, servesProcess } from "./own-library.ts";
import { openProcessBlocks, type ProcessFinding, verifyProcess } from "./process.ts";

const HEADER_ROOM = 16;
const CONTROL_BYTES = 3001;

/** What was found. */
export interface Findings {
  /** Of the process. */
  readonly process: ProcessFinding;
  /** Of the library, or of the system's allocator as offheap's own. */
  readonly library: LibraryFinding;
  /** The library; `null` for the system's allocator, and for one that cannot be had. */
  readonly resolved: ResolvedLibrary | null;
}

/** Runs `use` with a block of a source, as one more address that another allocator must deny. */
function withControlBlock<R>(
  what: string,
  source: BlockSource,
  controls: readonly ControlAddress[],
  use: (controls: readonly ControlAddress[]) => R,
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

/** The system's own library replaces one that is missing: that is what to say when it fails. */
function openLibrary(name: LoadableAllocator, library: ResolvedLibrary): OpenedLibrary {
  try {
    return allocatorNamed(name).library.open(library.path);
  } catch (error) {
    if (library.origin !== "system" || !(error instanceof LibraryLoadError)) throw error;
    throw systemUnusable(library, error);
  }
}

/** Runs `use` with a library that is open, and with what it must deny. */
function withLibrary<R>(
  name: LoadableAllocator,
  library: ResolvedLibrary,
  use: (opened: OpenedLibrary, controls: readonly ControlAddress[]) => R,
): R {
  const opened = openLibrary(name, library);
  try {
    return withControls((controls) => use(opened, controls));
  } finally {
    opened.probe.close();
  }
}

function judgeLibrary(
  library: ResolvedLibrary,
  opened: OpenedLibrary,
  controls: readonly ControlAddress[],
): LibraryFinding {
  if (servesProcess(library.path)) return verifyLibrary(library, opened, controls);
  const blocks = openProcessBlocks();
  try {
    return withControlBlock(
      "a block of the process's malloc",
      blocks,
      controls,
      (all) => verifyLibrary(library, opened, all),
    );
  } finally {
    blocks.close();
  }
}

/**
 * What there is to find of a library alone.
 *
 * @throws {LibraryLoadError} when it cannot be loaded.
 * @throws {SymbolError} when it is another library.
 */
export function examineLibrary(name: LoadableAllocator, library: ResolvedLibrary): LibraryFinding {
  return withLibrary(
    name,
    library,
    (opened, controls) => judgeLibrary(library, opened, controls),
  );
}

function examineBoth(name: LoadableAllocator, resolved: ResolvedLibrary): Findings {
  return withLibrary(name, resolved, (opened, controls) => {
    const library = judgeLibrary(resolved, opened, controls);
    // A library's block is a control only when it was proven to be the library's own.
    const apart = library.verified && !servesProcess(resolved.path);
    const process = apart
      ? withControlBlock(
        "a block of offheap's library",
        opened.blocks,
        controls,
        (all) => verifyProcess(shimPath(), all),
      )
      : examineProcess();
    return { process, library, resolved };
  });
}

function unusable(error: LibraryLoadError | SymbolError): LibraryFinding {
  return {
    version: null,
    verified: false,
    evidence: [{ scope: "library", check: "symbol", outcome: "fail", detail: error.message }],
  };
}

/** What there is to find with a library; one that is missing, or is another one, is a finding. */
export function examineWithLibrary(name: LoadableAllocator, find: () => ResolvedLibrary): Findings {
  let resolved: ResolvedLibrary | null = null;
  try {
    resolved = find();
    return examineBoth(name, resolved);
  } catch (error) {
    if (!(error instanceof LibraryLoadError || error instanceof SymbolError)) throw error;
    const loaded = error instanceof SymbolError ? resolved : null;
    return { process: examineProcess(), library: unusable(error), resolved: loaded };
  }
}

/** With the system's allocator, offheap's own blocks are those of the process. */
function systemFinding(found: ProcessFinding): LibraryFinding {
  const evidence = found.evidence.map((item) => ({ ...item, scope: "library" as const }));
  return { version: found.version, verified: found.verified, evidence };
}

/** What there is to find with the system's allocator. */
export function examineSystem(): Findings {
  const found = examineProcess();
  return { process: found, library: systemFinding(found), resolved: null };
}
