/**
 * What an examination of a running process reports.
 *
 * @module
 */
import type { ProcessAllocator } from "../../allocators/mod.ts";

/**
 * Who serves `malloc` in the process; `static` when it is a static program, into which no allocator
 * can be preloaded, and `unknown` when no allocator is recognised or the evidence contradicts
 * itself.
 */
export type ExaminedAllocator = ProcessAllocator | "static";

/**
 * What was looked at:
 * - `mapping`: the file that serves `malloc` is mapped into the process;
 * - `environment`: what `LD_PRELOAD` names, and whether it took;
 * - `symbol`: which object defines `malloc` first, and the symbol that identifies the allocator;
 * - `entries`: which objects define the other entry points and C++'s operators first;
 * - `binding`: where the slots that calls of `malloc`, its kin and C++'s operators go through lead,
 *   read from memory;
 * - `forwarding`: whether the object passes `malloc` on to another one, read from memory.
 */
export type DoctorCheck =
  | "mapping"
  | "environment"
  | "symbol"
  | "entries"
  | "binding"
  | "forwarding";

/** One item of evidence, always about the process. */
export interface DoctorEvidence {
  /** What it is about. */
  readonly scope: "process";
  /** What was looked at. */
  readonly check: DoctorCheck;
  /** How it came out; `unavailable` when it could not be looked at. */
  readonly outcome: "pass" | "fail" | "unavailable";
  /** What was seen. */
  readonly detail: string;
}

/** What was found of a running process. */
export interface ProcessReport {
  /** Its process ID. */
  readonly pid: number;
  /** Its arguments, the program's name first. */
  readonly command: readonly string[];
  /** The path of its program, as the process itself sees it. */
  readonly executable: string;
  /** Its state, such as `S (sleeping)`. */
  readonly state?: string;
  /** What `LD_PRELOAD` named in the environment with which it was started, in order. */
  readonly preload: readonly string[];
  /** Who serves `malloc` in it. */
  readonly allocator: ExaminedAllocator;
  /** Whether calls were seen to lead into the allocator, none of them elsewhere. */
  readonly verified: boolean;
  /** The object file that serves `malloc`, as the process itself sees it; `null` if unknown. */
  readonly object: string | null;
  /** What was looked at, and how it came out. */
  readonly evidence: readonly DoctorEvidence[];
  /** Sentences for the operator: what to do. */
  readonly advice: readonly string[];
}
