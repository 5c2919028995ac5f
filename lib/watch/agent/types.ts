/**
 * What the agent of a process is asked, and what it answers: `ffi/native/agent/answers.c`.
 *
 * @module
 */
import type { AllocatorFigure } from "../../allocators/statistics.ts";

/** What every answer begins with. */
export interface AgentHello {
  /** The version of the protocol. */
  readonly offheap: 1;
  /** The process ID, as its own namespace has it. */
  readonly pid: number;
  /** Who serves `malloc`, or `unknown`. */
  readonly allocator: string;
  /** Its version; `null` where it does not report one. */
  readonly version: string | null;
  /** The rest after which memory is given back; 0 for never. */
  readonly idleMilliseconds: number;
  /** The user's limit in bytes; `null` without one. */
  readonly limit: number | null;
  /** Why memory is not given back at rest; `null` while it is. */
  readonly stopped: string | null;
}

/** What the allocator counts, and what the agent has done. */
export interface AgentStats extends AgentHello {
  /** Resident memory of the whole process. */
  readonly resident: number;
  /** What the allocator counts. */
  readonly counted: Readonly<Partial<Record<AllocatorFigure, number>>>;
  /** Why it does not count the rest. */
  readonly absent: Readonly<Partial<Record<AllocatorFigure, string>>>;
  /** How often memory was given back. */
  readonly purges: number;
  /** By how much resident memory went down in all. */
  readonly returned: number;
  /** How long the last time took. */
  readonly lastPurgeMilliseconds: number;
  /** Whether memory is short at the moment. */
  readonly pressed: boolean;
  /** How often it has become short. */
  readonly pressures: number;
}

/** What giving memory back has brought. */
export interface AgentPurge extends AgentHello {
  /** Resident memory before. */
  readonly residentBefore: number;
  /** Resident memory afterwards. */
  readonly residentAfter: number;
  /** How long it took. */
  readonly milliseconds: number;
  /** Why nothing was given back; `null` when something was. */
  readonly refused: string | null;
}

/** Whether unused pages are kept for another time from now on. */
export interface AgentDecay extends AgentHello {
  /** Why not; `null` when they are. */
  readonly refused: string | null;
}

/** How the allocator samples the heap, after what was asked for. */
export interface AgentProfileState {
  /** Whether samples can be taken: the program was started with heap profiling. */
  readonly prepared: boolean;
  /** Whether they are being taken. */
  readonly active: boolean;
  /** One sample for each so many bytes on average; `null` where none can be taken. */
  readonly interval: number | null;
  /** Why nothing was done; `null` when it was. */
  readonly refused: string | null;
}

/** The state of sampling. */
export interface AgentProfile extends AgentHello {
  /** The state. */
  readonly profile: AgentProfileState;
}

/** What is live, as the allocator writes it. */
export interface AgentDump extends AgentProfile {
  /** The file, as the process sees it, which whoever asked removes; `null` when there is none. */
  readonly dump: string | null;
  /** Why there is none. */
  readonly refused: string | null;
}

/** What `profile` may be followed by: `reset` has what was sampled so far count as freed. */
export type AgentProfileAction = "start" | "stop" | "reset";

/** A question; `decay` has milliseconds, and below 0 it is as at the start again. */
export type AgentQuestion =
  | "hello"
  | "stats"
  | "purge"
  | `decay ${number}`
  | "profile"
  | `profile ${AgentProfileAction}`
  | "profile dump";

/** The answer to a question. */
export type AgentAnswer<Q extends AgentQuestion> = Q extends "hello" ? AgentHello
  : Q extends "stats" ? AgentStats
  : Q extends "purge" ? AgentPurge
  : Q extends "profile dump" ? AgentDump
  : Q extends "profile" | `profile ${AgentProfileAction}` ? AgentProfile
  : AgentDecay;
