/**
 * Taking a heap profile of a process by its agent: nothing runs in the program for it.
 *
 * @module
 */
import { setTimeout } from "node:timers/promises";
import { HeapProfileError } from "../../errors.ts";
import { askAgent } from "../agent/client.ts";
import { agentProcess } from "../agent/sockets.ts";
import type { AgentProfileState } from "../agent/types.ts";
import { assembleProfile, lookAtProcess, type ProfiledProcess } from "./assemble.ts";
import { profileDifference } from "./difference.ts";
import { readDump } from "./dump.ts";
import { takeDumpFile } from "./dump-file.ts";
import type { HeapProfile } from "./types.ts";

/** How a profile is taken. */
export interface TakeOptions {
  /** Only what is allocated within so many milliseconds, and not freed; else all that is in use. */
  readonly milliseconds?: number | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

const FROM_OUTSIDE = "it is sampled by the program itself, with heapProfile.start()";

const AGES = "How old allocations are, no allocator writes down: of two profiles, " +
  '"offheap heap diff" shows what grows.';

function refuse(pid: number, why: string): never {
  throw new HeapProfileError(`Cannot take a heap profile of process ${pid}: ${why}.`);
}

/** How a process's sampling is, by its agent. */
export async function samplingState(pid: number): Promise<AgentProfileState> {
  return (await askAgent(pid, "profile")).profile;
}

/**
 * Starts or ends the sampling of a process.
 *
 * @throws {HeapProfileError} when it cannot be sampled.
 * @throws {AgentError} when it has no agent.
 */
export async function switchSampling(pid: number, to: "start" | "stop"): Promise<void> {
  const { refused } = (await askAgent(pid, `profile ${to}`)).profile;
  if (refused !== null) refuse(pid, refused);
}

/** The process, as the agent's client sees it. */
function seen(pid: number): ProfiledProcess {
  const { ownPid } = agentProcess(pid) ?? refuse(pid, "it has ended");
  return { directory: `/proc/${pid}`, ownPid };
}

/** One dump, and all that is needed to name its addresses, at the same moment. */
async function takeNow(pid: number): Promise<HeapProfile> {
  const { dump, refused } = await askAgent(pid, "profile dump");
  if (dump === null) return refuse(pid, refused ?? "its agent has written nothing");
  const process = seen(pid);
  const at = Date.now();
  const files = lookAtProcess(process);
  const taken = takeDumpFile(process, dump);
  if ("refused" in taken) return refuse(pid, taken.refused);
  const profile = await assembleProfile(readDump(taken.text, taken.file), files, { pid, at });
  return {
    ...profile,
    absent: { javascript: FROM_OUTSIDE },
    notes: [...profile.notes, AGES],
  };
}

/**
 * Takes a heap profile of a process that `offheap run --heap-profiling` has started.
 *
 * @throws {HeapProfileError} when it is not sampled: it was not prepared, another allocator serves it, or
 * sampling is not active and no time is given.
 * @throws {AgentError} when it has no agent.
 */
export async function takeHeapProfile(
  pid: number,
  { milliseconds, signal }: TakeOptions = {},
): Promise<HeapProfile> {
  const { active, refused } = await samplingState(pid);
  if (refused !== null) return refuse(pid, refused);
  if (milliseconds === undefined) {
    if (active) return await takeNow(pid);
    return refuse(
      pid,
      "it is prepared, and nothing is sampled yet. Say for how long to sample (--seconds 30), start " +
        "sampling now and ask later (--start), or start the program with --active",
    );
  }
  // What was sampled before stays known to jemalloc; the difference leaves it out.
  const before = await takeNow(pid);
  if (!active) await switchSampling(pid, "start");
  try {
    await setTimeout(milliseconds, undefined, { signal });
    return profileDifference(before, await takeNow(pid));
  } finally {
    if (!active) await switchSampling(pid, "stop");
  }
}
