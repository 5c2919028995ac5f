/**
 * How much memory this process holds, as the operating system sees it.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";

/** Resident memory, in bytes. */
export interface Memory {
  /** The most that was resident since the process started. */
  readonly peakRss: number;
  /** What is resident now. */
  readonly rss: number;
}

/**
 * Measures this process. On Linux both figures come from one file, so that the peak is never below
 * the present; elsewhere from the runtime, whose `maxRSS` is in KiB.
 */
export function measureMemory(): Memory {
  if (process.platform === "linux") {
    const status = readFileSync("/proc/self/status", "utf8");
    return { peakRss: kilobytes(status, "VmHWM"), rss: kilobytes(status, "VmRSS") };
  }
  return { peakRss: process.resourceUsage().maxRSS * 1024, rss: process.memoryUsage().rss };
}

function kilobytes(status: string, name: string): number {
  const match = new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status);
  if (match === null) throw new Error(`Cannot measure memory: /proc/self/status has no ${name}`);
  return Number(match[1]) * 1024;
}
