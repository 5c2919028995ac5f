/**
 * How near this process is to the limits of its memory.
 *
 * @module
 */
import { join } from "node:path";
import { readVariable } from "../../environment.ts";
import { readTextIfPresent } from "../../system/files.ts";
import { readResident } from "../../system/resident.ts";
import { type MemoryInfo, readMemory } from "../info/memory.ts";
import type { PressureReading } from "./gauge.ts";

/** A limit of the program's own: bytes, or a part of what the process may use. */
export type OwnLimit = number | `${number}%`;

/** systemd's name for the file that says how long a service waited for memory. */
const WATCH_VARIABLE = "MEMORY_PRESSURE_WATCH";

/** As the agent: 200 ms of waiting in 2 s. */
const STALL_SHARE = 0.1;

/** The file of the process's own control group; `null` where there is none. The host's is not its own. */
function pressureFile({ cgroup }: MemoryInfo): string | null {
  const named = readVariable(WATCH_VARIABLE);
  if (named !== undefined) return named === "/dev/null" ? null : named;
  return cgroup?.version === 2 ? join(cgroup.path, "memory.pressure") : null;
}

/** Milliseconds that some task has ever waited; `null` where nobody counts it. */
function readStalled(path: string): number | null {
  const total = /^some .*\btotal=(\d+)$/m.exec(readTextIfPresent(path) ?? "")?.[1];
  return total === undefined ? null : Number(total) / 1000;
}

/** Reads what each look needs, and remembers what the next one compares with. */
export class PressureReader {
  readonly #limit: OwnLimit | undefined;
  readonly #root: string | undefined;
  #stalled: { readonly total: number; readonly at: number } | null = null;

  /** Reads for a limit of the program's own, if it has one. */
  constructor(limit: OwnLimit | undefined, root?: string) {
    this.#limit = limit;
    this.#root = root;
  }

  /** The program's own limit alone, where nothing else may be read. */
  readOwn(total: number | null): PressureReading[] {
    const limit = this.#limit;
    if (limit === undefined) return [];
    if (typeof limit === "number") return [{ source: "limit", used: readResident(), limit }];
    if (total === null) return [];
    const share = Number(limit.slice(0, -1)) / 100;
    return [{ source: "limit", used: readResident(), limit: total * share }];
  }

  /**
   * All of them, at a moment in milliseconds.
   *
   * @throws As {@linkcode readMemory}.
   */
  read(now: number): PressureReading[] {
    const memory = readMemory({ root: this.#root });
    const readings = this.readOwn(memory.total);
    const { hostTotal, hostAvailable, cgroup } = memory;
    readings.push({ source: "host", used: hostTotal - hostAvailable, limit: hostTotal });
    const bound = Math.min(cgroup?.limit ?? Infinity, cgroup?.high ?? Infinity);
    if (cgroup !== null && cgroup.available !== null && Number.isFinite(bound)) {
      readings.push({ source: "group", used: bound - cgroup.available, limit: bound });
    }
    return [...readings, ...this.#readStall(memory, now)];
  }

  #readStall(memory: MemoryInfo, now: number): PressureReading[] {
    const path = pressureFile(memory);
    const total = path === null ? null : readStalled(path);
    const before = this.#stalled;
    this.#stalled = total === null ? null : { total, at: now };
    // The first look has nothing to compare with: a false alarm at the start does not count.
    if (before === null || total === null || now <= before.at) return [];
    const limit = (now - before.at) * STALL_SHARE;
    return [{ source: "stall", used: Math.min(total - before.total, limit), limit }];
  }
}
