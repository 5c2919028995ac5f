/**
 * Who serves libc's `malloc` in this process.
 *
 * @module
 */
import { PROCESS_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { ffi } from "../../ffi/mod.ts";
import { PermissionError, SystemInfoError } from "../errors.ts";
import { SHIM_SYMBOLS } from "../../ffi/symbols/shim.ts";
import { system } from "../system/mod.ts";
import { type ControlAddress, REPLACED, type SymbolLocation } from "../system/types.ts";
import { examine, type Finding, formatAddress, interrogate, isVerified } from "./evidence.ts";
import { type Claim, identifyObject, loadedAllocators } from "./identify.ts";
import { findAllocator, type ProcessAllocator } from "../allocators/mod.ts";
import { type BlockSource, withoutShim } from "../allocators/probe.ts";
import type { Evidence } from "./types.ts";

/** What was found of the process. */
export interface ProcessFinding {
  /** Who serves `malloc`. */
  readonly allocator: ProcessAllocator;
  /** Its version. */
  readonly version: string | null;
  /** Whether it was proven. */
  readonly verified: boolean;
  /** The object file that serves `malloc`. */
  readonly object: string | null;
  /** What was looked at. */
  readonly evidence: readonly Evidence[];
}

/** The process's own `malloc` and `free`, to be closed. */
export function openProcessBlocks(): BlockSource & { close(): void } {
  const { calls, close } = ffi().open(null, PROCESS_MALLOC_SYMBOLS);
  return { allocate: calls.malloc, free: calls.free, close };
}

/**
 * Whether the file of an object was removed or replaced since it was mapped: its path then leads to
 * another file, or to none.
 */
export function isReplaced(object: string): boolean {
  try {
    const files = system().mappedFiles();
    return files.has(`${object}${REPLACED}`) && !files.has(object);
  } catch (error) {
    // The evidence of the mapping says that it cannot be looked at.
    if (error instanceof PermissionError || error instanceof SystemInfoError) return false;
    throw error;
  }
}

/**
 * How the object that serves `malloc` is opened: by its path, but for the program itself and for one
 * whose path is stale, which are `null`, the process.
 */
export function pathToOpen(object: string | null): string | null {
  const stale = object === null || object === system().executable() || isReplaced(object);
  return stale ? null : object;
}

function checkSymbol(claim: Claim, object: string): Finding {
  if (claim.symbol === null || claim.location === null) {
    return {
      outcome: "fail",
      detail: `"${object}" serves malloc and has no symbol by which offheap knows an allocator`,
    };
  }
  return {
    outcome: "pass",
    detail: `${claim.symbol} is at ${formatAddress(claim.location.address)} in "${object}"`,
  };
}

/** malloc and free must come from one object, and that from the allocator's. */
function checkServingObject(malloc: SymbolLocation, claim: Claim): Finding {
  const free = system().findSymbol("free");
  if (!system().mallocShowsServer) {
    const detail = `malloc is defined by "${malloc.object}", which says nothing of who serves it ` +
      "here: an allocator's zone does";
    return { outcome: "unavailable", detail };
  }
  const detail = `malloc is served by "${malloc.object}"`;
  if (free?.object !== malloc.object) {
    return { outcome: "fail", detail: `${detail}, but free by "${free?.object}"` };
  }
  return { outcome: claim.location?.object === malloc.object ? "pass" : "fail", detail };
}

function checkMapping(object: string): Finding {
  const files = system().mappedFiles();
  const replaced = !files.has(object) && files.has(`${object}${REPLACED}`);
  const mapped = replaced || files.has(object);
  const since = replaced ? "; the file was removed or replaced since" : "";
  return {
    outcome: mapped ? "pass" : "fail",
    detail: `"${object}" is ${mapped ? "" : "not "}mapped into this process${since}`,
  };
}

const REASON_BYTES = 2048;

/** Asks the shim, in one call: between two calls from JavaScript the runtime allocates, too. */
function checkEntries(name: string | null, shim: string | null): Finding {
  if (name === null) {
    return {
      outcome: "unavailable",
      detail: "offheap's library (liboffheap), which checks them, has no way to ask it",
    };
  }
  if (shim === null) {
    return { outcome: "unavailable", detail: withoutShim("checks them") };
  }
  const { offheap_is_serving } = SHIM_SYMBOLS;
  const { calls, close } = ffi().open(shim, { offheap_is_serving });
  try {
    const bytes = new Uint8Array(REASON_BYTES);
    const answer = calls.offheap_is_serving(name, bytes, REASON_BYTES);
    const reason = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
    const all = "malloc's other entry points and C++'s operators are its own, and so are their " +
      "blocks of 1 byte to 1 MiB";
    if (answer > 0) return { outcome: "pass", detail: all };
    return answer < 0
      ? { outcome: "unavailable", detail: "this system has no preload that could replace them" }
      : { outcome: "fail", detail: reason };
  } finally {
    close();
  }
}

/** The evidence that a mapping of an object gives. */
export function mappingEvidence(scope: Evidence["scope"], object: string): Evidence {
  return examine(scope, "mapping", "unavailable", () => checkMapping(object));
}

function unknownProcess(detail: string): ProcessFinding {
  return {
    allocator: "unknown",
    version: null,
    verified: false,
    object: null,
    evidence: [{ scope: "process", check: "serving-object", outcome: "unavailable", detail }],
  };
}

function askAllocator(
  claim: Claim,
  object: string,
  shim: string | null,
  controls: readonly ControlAddress[],
): { readonly version: string | null; readonly evidence: Evidence[] } {
  const known = findAllocator(claim.name);
  if (known === null) {
    const detail = `offheap has no way to ask ${claim.name} whether it owns a block`;
    return {
      version: null,
      evidence: [{ scope: "process", check: "ownership", outcome: "unavailable", detail }],
    };
  }
  let probe;
  try {
    probe = known.openProbe(known.library === null ? object : pathToOpen(object), shim);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return {
      version: null,
      evidence: [{ scope: "process", check: "symbol", outcome: "fail", detail }],
    };
  }
  const blocks = openProcessBlocks();
  try {
    const { shimName } = probe;
    const evidence = [
      ...interrogate("process", probe, blocks, controls),
      examine("process", "entries", "unavailable", () => checkEntries(shimName, shim)),
    ];
    const isKnown = evidence.some(({ check, outcome }) =>
      check === "version" && outcome === "pass"
    );
    return { version: isKnown ? probe.version?.() ?? null : null, evidence };
  } finally {
    blocks.close();
    probe.close();
  }
}

/**
 * Finds out who serves `malloc` here, and gathers the evidence.
 *
 * @param shim The path of offheap's shim, which reads glibc's counters and tries the entry points;
 *   `null` without.
 * @param controls Addresses that the allocator must deny.
 */
export function verifyProcess(
  shim: string | null,
  controls: readonly ControlAddress[],
): ProcessFinding {
  const malloc = system().findSymbol("malloc");
  const object = malloc?.object;
  if (malloc === null || object === null || object === undefined) {
    return unknownProcess("the dynamic linker does not say which object serves malloc");
  }
  const inserted = system().mallocShowsServer ? [] : loadedAllocators();
  for (const claim of inserted) {
    const finding = examineClaim(malloc, claim, claim.location?.object ?? object, shim, controls);
    if (finding.verified) return finding;
  }
  return examineClaim(malloc, identifyObject(object), object, shim, controls);
}

/** The evidence for and against one allocator as the one that serves `malloc`. */
function examineClaim(
  malloc: SymbolLocation,
  claim: Claim,
  object: string,
  shim: string | null,
  controls: readonly ControlAddress[],
): ProcessFinding {
  const asked = askAllocator(claim, object, shim, controls);
  const evidence = [
    examine("process", "symbol", "fail", () => checkSymbol(claim, object)),
    examine("process", "serving-object", "fail", () => checkServingObject(malloc, claim)),
    mappingEvidence("process", object),
    ...asked.evidence,
  ];
  const contradicted = evidence.some(({ outcome }) => outcome === "fail");
  return {
    allocator: contradicted ? "unknown" : claim.name,
    version: contradicted ? null : asked.version,
    verified: isVerified(evidence),
    object,
    evidence,
  };
}
