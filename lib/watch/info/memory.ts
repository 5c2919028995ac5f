/**
 * How much memory this machine, this control group and this process have.
 *
 * @module
 */
import { freemem, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { inspect } from "node:util";
import { withPermission } from "../../../ffi/errors.ts";
import { SystemInfoError } from "../../errors.ts";
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

/** A process's own memory. All sizes are in bytes. */
export interface ProcessMemory {
  /** Physical memory in use, shared pages included. */
  readonly resident: number;
  /** The part of it that is shared with other processes or backed by files; `null` when not reported. */
  readonly shared: number | null;
  /** The size of the address space in use; `null` when the system does not say. */
  readonly virtual: number | null;
}

/** Where to look. */
export interface MemoryOptions {
  /** A directory to use as `/`; for tests. */
  readonly root?: string | undefined;
}

/** Where to look, and what a page is. */
export interface ProcessMemoryOptions extends MemoryOptions {
  /** The size of a page in bytes: 4096, 16384 and 65536 all occur. */
  readonly pageSize: number;
  /** The process; this one without it. Another one's can be read on Linux only. */
  readonly pid?: number | undefined;
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

/**
 * Reads a process's memory: from `/proc` on Linux, else from the runtime.
 *
 * @throws {TypeError | RangeError} when the page size or the process ID is not a positive integer.
 * @throws {SystemInfoError} when another process's memory is not to be had.
 */
export function readProcessMemory(options: ProcessMemoryOptions): ProcessMemory {
  const own = ownProperties(options);
  const pageSize = positiveInteger("pageSize", own.pageSize);
  const pid = own.pid === undefined ? null : positiveInteger("pid", own.pid);
  const path = join(own.root ?? "/", "proc", pid === null ? "self" : String(pid), "statm");
  const text = readTextIfPresent(path);
  if (text === null) {
    if (pid !== null && pid !== process.pid) {
      throw new SystemInfoError(
        `Cannot read the memory of process ${pid}: there is no "${path}". ` +
          "Check that the process runs, and that this system has /proc.",
      );
    }
    return { resident: readResident(), shared: null, virtual: null };
  }
  const [virtual, resident, shared] = text.trim().split(" ").map(Number);
  if (!isCount(virtual) || !isCount(resident) || !isCount(shared)) {
    throw malformed(path, "seven numbers of pages", text);
  }
  return {
    resident: resident * pageSize,
    shared: shared * pageSize,
    virtual: virtual * pageSize,
  };
}

/** What the runtime reports; on Linux it reads `/proc`, too. */
function readResident(): number {
  try {
    return process.memoryUsage().rss;
  } catch (error) {
    throw new SystemInfoError(
      "Cannot read this process's memory: there is no /proc here. Mount it (mount -t proc proc /proc).",
      { cause: error },
    );
  }
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

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0;
}

function positiveInteger(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  const Kind = typeof value === "number" ? RangeError : TypeError;
  throw new Kind(
    `Cannot read a process's memory: ${name} must be a positive integer; got ${inspect(value)}`,
  );
}
