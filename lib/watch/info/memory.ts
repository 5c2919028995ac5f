/**
 * How much memory this machine and this control group have.
 *
 * @module
 */
import { freemem, totalmem } from "node:os";
import { join } from "node:path";
import { withPermission } from "../../../ffi/errors.ts";
import { ownProperties } from "../../options.ts";
import { type CgroupMemory, readCgroupMemory } from "./cgroup.ts";
import { malformed, readTextIfPresent } from "../../system/files.ts";

/** The memory that this process can count on. All sizes are in bytes. */
export interface MemoryInfo {
  /** What the process may use in all: the host's memory, or the control group's tighter limit. */
  readonly total: number;
  /** What can still be had without swapping, and before a control group's limit is reached. */
  readonly available: number;
  /** What set {@linkcode MemoryInfo.total}. */
  readonly limitedBy: "host" | "cgroup";
  /** The host's physical memory. */
  readonly hostTotal: number;
  /** What the host can still give without swapping. */
  readonly hostAvailable: number;
  /** The control group's figures; `null` when none counts this process's memory. */
  readonly cgroup: CgroupMemory | null;
}

/** Where to look. */
export interface MemoryOptions {
  /** A directory to use as `/`; for tests. */
  readonly root?: string | undefined;
}

const KIB = 1024;

/**
 * Reads how much memory there is and how much is available, with control groups counted.
 *
 * @throws {PermissionError} when the runtime may not read `/proc`, `/sys` or the system's figures.
 * @throws {SystemInfoError} when a file cannot be read or understood.
 */
export function readMemory(options: MemoryOptions = {}): MemoryInfo {
  const { root = "/" } = ownProperties(options);
  const host = readHostMemory(root);
  const cgroup = readCgroupMemory({ root });
  const limit = cgroup?.limit ?? null;
  const limited = limit !== null && limit < host.total;
  const total = limited ? limit : host.total;
  return {
    total,
    available: Math.min(host.available, cgroup?.available ?? host.available, total),
    limitedBy: limited ? "cgroup" : "host",
    hostTotal: host.total,
    hostAvailable: host.available,
    cgroup,
  };
}

function readHostMemory(root: string): { total: number; available: number } {
  const path = join(root, "proc", "meminfo");
  const text = readTextIfPresent(path);
  if (text === null) {
    return withPermission("read the system's memory size", "--allow-sys=systemMemoryInfo", () => ({
      total: totalmem(),
      available: freemem(),
    }));
  }
  const kilobytes = (key: string): number | undefined => {
    const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text);
    return match === null ? undefined : Number(match[1]);
  };
  const total = kilobytes("MemTotal");
  // Kernels before 3.14 have no MemAvailable; free memory and cache come closest.
  const available = kilobytes("MemAvailable") ??
    (kilobytes("MemFree") ?? 0) + (kilobytes("Buffers") ?? 0) + (kilobytes("Cached") ?? 0);
  if (total === undefined) throw malformed(path, 'a line "MemTotal: N kB"', text);
  return { total: total * KIB, available: Math.min(available, total) * KIB };
}
