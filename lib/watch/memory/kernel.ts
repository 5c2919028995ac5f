/**
 * What the kernel counts of a process: from `/proc` on Linux, else what the runtime can say of its own.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { inspect } from "node:util";
import { figures } from "../../allocators/statistics.ts";
import { SystemInfoError } from "../../errors.ts";
import { ownProperties } from "../../options.ts";
import { malformed, readTextIfPresent, statusBytes } from "../../system/files.ts";
import { readResident } from "../../system/resident.ts";
import { KERNEL_FIGURES, type KernelFigure, type KernelFigures } from "./types.ts";

/** Which process, and how much of it. */
export interface KernelOptions {
  /** A directory to use as `/`; for tests. */
  readonly root?: string | undefined;
  /** The process; this one without it. Another one's can be read on Linux only. */
  readonly pid?: number | undefined;
  /** Whether to have the kernel walk all pages, for `pss` and `anonHugePages`: some 10 ms for 100 MiB. */
  readonly full?: boolean | undefined;
}

const KIB = 1024;

/** This process's directory. */
const OWN = "/proc/self";

/** Lines of `/proc/PID/status`. */
const STATUS: Readonly<Partial<Record<KernelFigure, string>>> = {
  rss: "VmRSS",
  swap: "VmSwap",
  anonymous: "RssAnon",
  file: "RssFile",
  shared: "RssShmem",
  peak: "VmHWM",
};

/** Lines of `/proc/PID/smaps_rollup`. */
const ROLLUP: Readonly<Partial<Record<KernelFigure, string>>> = {
  pss: "Pss",
  anonHugePages: "AnonHugePages",
};

/** Fields of `/proc/PID/stat` after the command's name, which is in brackets and may hold blanks. */
const STAT: Readonly<Partial<Record<KernelFigure, number>>> = { minorFaults: 7, majorFaults: 9 };

const NO_ROLLUP = "this kernel has no smaps_rollup (4.14 is the first)";
const NOT_ASKED = "the kernel has to walk all pages for it: ask with { full: true }";
const TOO_OLD = "this kernel does not count it";
const NO_MEMORY = "the process has no memory of its own: it is the kernel's, or it has ended";

type Counted = Partial<Record<KernelFigure, number>>;

function addLines(counted: Counted, text: string, lines: Readonly<Record<string, string>>): void {
  for (const [name, line] of Object.entries(lines)) {
    const bytes = statusBytes(text, line);
    if (bytes !== null) counted[name as KernelFigure] = bytes;
  }
}

/** Of this process the same numbers cost a call instead of a file. */
function addOwnFaults(counted: Counted): void {
  const { minorPageFault, majorPageFault } = process.resourceUsage();
  counted.minorFaults = minorPageFault;
  counted.majorFaults = majorPageFault;
}

function addFaults(counted: Counted, text: string): void {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  for (const [name, field] of Object.entries(STAT)) {
    const value = Number(fields[field]);
    if (Number.isSafeInteger(value)) counted[name as KernelFigure] = value;
  }
}

/** The kernel lets only those read it who may trace the process. */
function readRollup(path: string): string | null {
  try {
    return readTextIfPresent(path);
  } catch (error) {
    if (error instanceof SystemInfoError) return null;
    throw error;
  }
}

/** What the runtime says of its own process, in every system; no permission is needed for it. */
export function runtimeFigures(why: string): KernelFigures {
  const usage = process.resourceUsage();
  return figures(KERNEL_FIGURES, {
    rss: readResident(),
    peak: usage.maxRSS * KIB,
    minorFaults: usage.minorPageFault,
    majorFaults: usage.majorPageFault,
  }, why);
}

function checkPid(pid: number): number {
  if (Number.isSafeInteger(pid) && pid > 0) return pid;
  const Kind = typeof pid === "number" ? RangeError : TypeError;
  throw new Kind(
    `Cannot read a process's memory: pid must be a positive integer; got ${inspect(pid)}`,
  );
}

/**
 * Reads what the kernel counts of a process.
 *
 * @throws {TypeError | RangeError} when the process ID is not a positive integer.
 * @throws {PermissionError} when the runtime may not read `/proc`.
 * @throws {SystemInfoError} when another process's memory is not to be had.
 */
export function readKernelFigures(options: KernelOptions = {}): KernelFigures {
  const { root = "/", pid, full = false } = ownProperties(options);
  const directory = join(root, "proc", pid === undefined ? "self" : String(checkPid(pid)));
  const statusPath = join(directory, "status");
  const status = readTextIfPresent(statusPath);
  if (status === null) {
    if (pid === undefined || pid === process.pid) {
      return runtimeFigures("this system has no /proc that says so");
    }
    throw new SystemInfoError(
      `Cannot read the memory of process ${pid}: there is no "${statusPath}". ` +
        "Check that the process runs, and that this system has /proc.",
    );
  }
  const counted: Counted = {};
  addLines(counted, status, STATUS);
  if (counted.rss === undefined && !/^Name:/m.test(status)) {
    throw malformed(statusPath, 'a line "VmRSS: N kB"', status);
  }
  if (directory === OWN) addOwnFaults(counted);
  else addFaults(counted, readTextIfPresent(join(directory, "stat")) ?? "");
  const rollup = full ? readRollup(join(directory, "smaps_rollup")) : null;
  if (rollup !== null) addLines(counted, rollup, ROLLUP);
  const reasons = Object.fromEntries(
    KERNEL_FIGURES.map((name) => [name, counted.rss === undefined ? NO_MEMORY : TOO_OLD]),
  );
  const walked = full ? NO_ROLLUP : NOT_ASKED;
  return figures(KERNEL_FIGURES, counted, { ...reasons, pss: walked, anonHugePages: walked });
}
