/**
 * A program's processes and their memory, as Linux shows them while they run.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { errorCode, statusBytes } from "../../system/files.ts";

/** What a look at the processes of a program saw. */
export interface TreeMemory {
  /** The resident memory of all of them, in bytes; what they share counts in each. */
  readonly residentBytes: number;
  /** The largest that the kernel has seen one of them, in bytes. */
  readonly largestPeakBytes: number;
}

/** A file of a process, or its directory's entries; nothing when the process is gone by now. */
function unlessGone<T>(read: () => T, nothing: T): T {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(errorCode(error))) return nothing;
    throw error;
  }
}

/** The processes that any thread of a process has started. */
function childrenOf(pid: number): number[] {
  const tasks = `/proc/${pid}/task`;
  return unlessGone(() => readdirSync(tasks), []).flatMap((thread) => {
    const text = unlessGone(() => readFileSync(`${tasks}/${thread}/children`, "utf8"), "");
    return text.split(" ").filter((word) => word !== "").map(Number);
  });
}

/** The memory of a process and of all that it has started; zeros when they are gone. */
export function treeMemory(root: number): TreeMemory {
  let residentBytes = 0;
  let largestPeakBytes = 0;
  const pids = [root];
  for (const pid of pids) { // grows while it is walked
    const status = unlessGone(() => readFileSync(`/proc/${pid}/status`, "utf8"), "");
    residentBytes += statusBytes(status, "VmRSS") ?? 0;
    largestPeakBytes = Math.max(largestPeakBytes, statusBytes(status, "VmHWM") ?? 0);
    pids.push(...childrenOf(pid));
  }
  return { residentBytes, largestPeakBytes };
}

/** How often it is looked, in milliseconds: a long run needs no fine curve. */
const FIRST_INTERVAL_MS = 20;
const LATER_INTERVAL_MS = 100;
const LATER_MS = 10_000;

/** The memory of a run so far. */
export interface Sampler {
  /** The most that all processes had resident at a look, or the kernel has seen one of them with. */
  readonly peakBytes: () => number;
  /** All looks: seconds since the start, and resident bytes. */
  readonly samples: () => readonly (readonly [number, number])[];
  /** Looks no more. */
  stop(): void;
}

/**
 * Looks at a program's memory again and again. Between two looks a peak of several processes
 * together, and the last growth of a process before its end, goes unseen; a peak of one process does
 * not, as the kernel keeps it.
 *
 * @param onLook Called at each look at a program that runs.
 */
export function sampleMemory(root: number, started: number, onLook: () => void): Sampler {
  const samples: (readonly [number, number])[] = [];
  let peak = 0;
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const now = performance.now() - started;
    const seen = treeMemory(root);
    if (seen.residentBytes > 0) {
      peak = Math.max(peak, seen.residentBytes, seen.largestPeakBytes);
      samples.push([Math.round(now) / 1000, seen.residentBytes]);
      onLook();
    }
    timer = setTimeout(look, now < LATER_MS ? FIRST_INTERVAL_MS : LATER_INTERVAL_MS);
  };
  look();
  return {
    peakBytes: () => peak,
    samples: () => samples,
    stop: () => clearTimeout(timer),
  };
}
