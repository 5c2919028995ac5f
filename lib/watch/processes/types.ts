/**
 * What the list of processes has.
 *
 * @module
 */
import type { ExaminedAllocator } from "../doctor/types.ts";
import type { GroupFigures } from "../memory/types.ts";
import type { LaunchRecord } from "./launch.ts";
import type { ProgramRuntime } from "./runtime.ts";

/** One process. Sizes are in bytes; what is not known is `null`, and has its reason in `absent`. */
export interface ListedProcess {
  /** Its process ID. */
  readonly pid: number;
  /** The process that started it, or has taken it over. */
  readonly parent: number;
  /** The user that it runs as. */
  readonly user: number;
  /** Its arguments, the program's name first. */
  readonly command: readonly string[];
  /** The path of its program, as the process sees it. */
  readonly executable: string;
  /** The JavaScript runtime that its program is; `null` for another one. */
  readonly runtime: ProgramRuntime | null;
  /** Who serves `malloc` in it. */
  readonly allocator: ExaminedAllocator;
  /** Whether its agent has proven that; else the mapped files say so. */
  readonly verified: boolean;
  /** Physical memory in use, shared pages included. */
  readonly resident: number;
  /** What its allocator has given out and not got back. */
  readonly allocated: number | null;
  /** What its allocator has got back and keeps resident. */
  readonly heldBack: number | null;
  /** Its memory in swap. */
  readonly swap: number | null;
  /** The tightest limit of its control groups, or its agent's; `null` where there is none. */
  readonly limit: number | null;
  /** How long it has run. */
  readonly ageSeconds: number;
  /** Why a figure is `null`, by the figure's name. */
  readonly absent: Readonly<Partial<Record<"allocated" | "heldBack" | "swap" | "limit", string>>>;
}

/** The processes of this machine that this user may look at. */
export interface ProcessList {
  /** The processes, the one with the most resident memory first. */
  readonly processes: readonly ListedProcess[];
  /** How many others there are, which this user may not look at. */
  readonly hidden: number;
}

/** What is found out of a process by the files that it has mapped. */
export interface ServingFacts {
  /** The runtime that its program is; `null` for another program. */
  readonly runtime: ProgramRuntime | null;
  /** Who serves `malloc` in it. */
  readonly allocator: ExaminedAllocator;
  /** Whether offheap's shim is in it. */
  readonly hasShim: boolean;
  /** What the launch that started it asked. */
  readonly launch: LaunchRecord;
}

/** A process as it is seen from outside. */
export interface SeenProcess {
  /** What is listed of it, without what its agent has to say. */
  readonly listed: ListedProcess;
  /** What its mapped files and its environment say. */
  readonly facts: ServingFacts;
  /** When it was started, in the clock's ticks since the machine was: with its ID, whose it is. */
  readonly startTicks: number;
  /** What its control group counts; a string says why there is none. */
  readonly group: GroupFigures | string;
}
