/**
 * What the doctor says of a process's memory.
 *
 * @module
 */
import type { Purged } from "../../../memory/purge.ts";
import type { MemoryParts, Observation } from "./observation.ts";
import type { ProgramRuntime } from "../../processes/runtime.ts";
import type { Trend } from "./trend.ts";

/** What a process's memory can have; the last where what would show it cannot be seen. */
export type MemoryVerdict =
  | "healthy"
  | "held back after a burst"
  | "fragmentation"
  | "native growth"
  | "JavaScript heap growth"
  | "huge pages"
  | "thread arenas"
  | "too small to tell"
  | "cannot tell";

/** A verdict with what it rests on. */
export interface MemoryFinding {
  /** The verdict. */
  readonly verdict: MemoryVerdict;
  /** How sure it is, from 0 to 1. */
  readonly sure: number;
  /** What it rests on, as a sentence. */
  readonly because: string;
  /** The figures that it rests on, in bytes unless their name says otherwise. */
  readonly figures: Readonly<Record<string, number>>;
  /** What to do, and what to type. */
  readonly next: string;
}

/** How figures moved while the process was watched; `null` where a figure is not known. */
export interface MemoryTrends {
  /** For how long, in seconds. */
  readonly seconds: number;
  /** How often the figures were read. */
  readonly samples: number;
  /** Resident memory. */
  readonly resident: Trend;
  /** What of it no file backs; resident memory where that is not known. */
  readonly anonymous: Trend;
  /** The JavaScript heap in use, after collections. */
  readonly heap: Trend | null;
  /** Native memory that JavaScript objects hold. */
  readonly external: Trend | null;
  /** What the program has of the allocator. */
  readonly allocated: Trend | null;
  /** How often the JavaScript heap became smaller by a twentieth; `null` where it is not known. */
  readonly collections: number | null;
}

/** What came of giving memory back. */
export type PurgeOutcome = Omit<Purged, "returned">;

/** Which process it is, for what is to be typed. */
export interface Patient {
  /** Its process ID; `null` for this process, where it is asked by code. */
  readonly pid: number | null;
  /** The runtime that its program is; `null` for another program. */
  readonly runtime: ProgramRuntime | null;
  /** Its command as a shell takes it. */
  readonly command: string;
  /** Whether an agent was asked for when it was started. */
  readonly hasAgent: boolean;
}

/** What a verdict is drawn from. */
export interface MemoryFacts {
  /** The process. */
  readonly patient: Patient;
  /** Its memory, the latest last; at least one. */
  readonly observations: readonly Observation[];
  /** What came of a purge after these, and the memory then; `null` without one. */
  readonly purged: { readonly outcome: PurgeOutcome; readonly after: Observation } | null;
}

/** What the doctor found of a process's memory. */
export interface MemoryReport extends MemoryFinding {
  /** Where resident memory is, in bytes. */
  readonly parts: MemoryParts;
  /** Resident memory, in bytes. */
  readonly resident: number;
  /** What else was found. */
  readonly also: readonly MemoryFinding[];
  /** How figures moved; `null` after a single look. */
  readonly trends: MemoryTrends | null;
  /** What came of a purge; `null` without one. */
  readonly purge: PurgeOutcome | null;
  /** What could not be seen, and why. */
  readonly notSeen: readonly string[];
}
