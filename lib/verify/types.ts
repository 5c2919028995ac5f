/**
 * What a verification reports.
 *
 * @module
 */
import type { RuntimeInfo } from "../../ffi/types.ts";
import type { LibraryOrigin } from "../library/resolve.ts";
import type { AllocatorName, ProcessAllocator } from "../allocators/mod.ts";

/** What an item of evidence is about: offheap's own blocks, or libc's `malloc` in this process. */
export type EvidenceScope = "library" | "process";

/**
 * What was looked at:
 * - `symbol`: the allocator's symbol, its address and object file;
 * - `version`: the version function was called and gave a version;
 * - `serving-object`: the object that serves `malloc` is the allocator's;
 * - `ownership`: the allocator knows a fresh block as its own, and denies negative controls;
 * - `counter`: its counters moved by the size that was allocated;
 * - `entries`: every other entry point (`calloc`, `posix_memalign`, C++'s operators, …) is the
 *   allocator's, and so are the blocks that each of them gives, of sizes from 1 byte to 1 MiB;
 * - `hash`: the file's sha256 is the manifest's;
 * - `mapping`: the file is mapped into this process.
 */
export type EvidenceCheck =
  | "symbol"
  | "version"
  | "serving-object"
  | "ownership"
  | "counter"
  | "entries"
  | "hash"
  | "mapping";

/** One item of evidence. */
export interface Evidence {
  /** What it is about. */
  readonly scope: EvidenceScope;
  /** What was looked at. */
  readonly check: EvidenceCheck;
  /** How it came out; `unavailable` when it could not be looked at. */
  readonly outcome: "pass" | "fail" | "unavailable";
  /** What was seen. */
  readonly detail: string;
}

/** An allocator that the runtime keeps for itself, and that a preload does not replace. */
export interface RuntimeAllocator {
  /** Its name. */
  readonly name: ProcessAllocator;
  /** Its version, as the runtime says it. */
  readonly version: string | null;
  /** What that means for this process. */
  readonly note: string;
}

/** The native library that offheap's own blocks come from. */
export interface LibraryReport {
  /** The file's real path. */
  readonly path: string;
  /** Which of the places it was found in. */
  readonly origin: LibraryOrigin;
  /** The file's sha256, in hexadecimal; `null` when the file was replaced since it was loaded. */
  readonly sha256: string | null;
  /** Whether a manifest covers it; its hash then agrees. */
  readonly manifest: boolean;
}

/** What {@linkcode verifyAllocator} found. */
export interface Verification {
  /** The JavaScript runtime. */
  readonly runtime: RuntimeInfo;
  /** The operating system, as `process.platform` names it. */
  readonly platform: string;
  /** The processor, as `process.arch` names it. */
  readonly arch: string;
  /** The C library's name. */
  readonly libc: string;
  /** The allocator that offheap's own blocks come from. */
  readonly memoryAllocator: AllocatorName;
  /** Its version; `null` when it could not be read. */
  readonly memoryAllocatorVersion: string | null;
  /** Whether ownership or a counter proved it, and nothing spoke against it. */
  readonly memoryAllocatorVerified: boolean;
  /** Who serves libc's `malloc` in this process; `unknown` when the evidence contradicts itself. */
  readonly processAllocator: ProcessAllocator;
  /** Its version; `null` when it could not be read. */
  readonly processAllocatorVersion: string | null;
  /** Whether ownership or a counter proved it, and nothing spoke against it. */
  readonly processAllocatorVerified: boolean;
  /** An allocator that the runtime keeps for itself; `null` when there is none. */
  readonly runtimeAllocator: RuntimeAllocator | null;
  /** The library in use; `null` for the system's allocator, or when none could be loaded. */
  readonly library: LibraryReport | null;
  /** What was looked at, and how it came out. */
  readonly evidence: readonly Evidence[];
}
