/**
 * Every process of this machine that this user may look at.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { DoctorError, SystemInfoError } from "../../errors.ts";
import { malformed } from "../../system/files.ts";
import { parseMaps } from "../../system/linux-maps.ts";
import {
  attempt,
  isRefused,
  openProcess,
  type ProcessSource,
  readStrings,
  readText,
} from "../doctor/process-source.ts";
import { readCgroupMemory } from "../info/cgroup.ts";
import { type FileKnowledge, learnFiles } from "./files.ts";
import { findServing } from "./serving.ts";
import type { ListedProcess, ProcessList } from "./types.ts";

/** The clock ticks of `/proc/PID/stat`: the kernel shows 100 a second to programs, whatever its own. */
const TICKS_PER_SECOND = 100;

/** Where the list's figures come from when no agent answers. */
const NO_AGENT = "only offheap's agent in the process can ask its allocator, and there is none";

/**
 * Lists the processes of this machine. Linux only. Threads of the kernel and processes that have ended
 * are left out.
 *
 * @throws {DoctorError} on another system, or without `/proc`.
 * @throws {PermissionError} when the runtime does not permit to read `/proc`.
 */
export function listProcesses(): ProcessList {
  if (process.platform !== "linux") {
    throw new DoctorError(
      `Cannot list processes: that needs /proc as Linux has it, and this system is ` +
        `${process.platform}.`,
    );
  }
  const knowledge = learnFiles();
  const uptime = readUptime();
  const processes: ListedProcess[] = [];
  let hidden = 0;
  for (const pid of processIds()) {
    try {
      const source = openProcess(pid);
      const found = attempt(pid, source.directory, () => describe(source, uptime, knowledge));
      if (found !== null) processes.push(found);
    } catch (error) {
      if (!(error instanceof DoctorError)) throw error;
      if (isRefused(error)) hidden++;
    }
  }
  return { processes: processes.sort((a, b) => b.resident - a.resident), hidden };
}

function processIds(): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Seconds since the system was started. */
function readUptime(): number {
  const path = "/proc/uptime";
  const text = readFileSync(path, "utf8");
  const seconds = Number(text.split(" ")[0]);
  if (!(seconds > 0)) throw malformed(path, "two numbers of seconds", text);
  return seconds;
}

/** One process; `null` for what has no program: a thread of the kernel, or a process that has ended. */
function describe(
  source: ProcessSource,
  uptime: number,
  knowledge: FileKnowledge,
): ListedProcess | null {
  const status = readText(source, "status");
  const resident = kilobytes(status, "VmRSS");
  if (resident === null) return null;
  const executable = source.executable();
  if (executable === null) return null;
  const mappings = executableMappings(readText(source, "maps"));
  const program = knowledge.program(source.directory);
  const allocator = findServing(source, executable, mappings, program, knowledge);
  const { parent, startTicks } = readStat(source);
  const swap = kilobytes(status, "VmSwap");
  return {
    pid: source.pid,
    parent,
    user: Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]),
    command: readStrings(source, "cmdline"),
    executable,
    runtime: program.runtime,
    allocator,
    verified: false,
    resident,
    allocated: null,
    heldBack: null,
    swap,
    ageSeconds: Math.max(0, uptime - startTicks / TICKS_PER_SECOND),
    ...limitOf(source.pid, {
      allocated: NO_AGENT,
      heldBack: NO_AGENT,
      ...(swap === null ? { swap: "the kernel does not count it" } : {}),
    }),
  };
}

/** Only mapped files that hold code are looked at; a browser has thousands of other mappings. */
function executableMappings(text: string): ReturnType<typeof parseMaps> {
  const code = text.split("\n").filter((line) => line.includes("xp ") && line.includes("/"));
  const first = new Map(parseMaps(code.join("\n")).toReversed().map((each) => [each.path, each]));
  return [...first.values()].toReversed();
}

function limitOf(
  pid: number,
  absent: ListedProcess["absent"],
): Pick<ListedProcess, "limit" | "absent"> {
  try {
    return { limit: readCgroupMemory({ pid })?.limit ?? null, absent };
  } catch (error) {
    if (!(error instanceof SystemInfoError)) throw error;
    return { limit: null, absent: { ...absent, limit: error.message } };
  }
}

/** The fields after the command's name, which may itself hold blanks and parentheses. */
function readStat(source: ProcessSource): { parent: number; startTicks: number } {
  const text = readText(source, "stat");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(fields[1]), startTicks: Number(fields[19]) };
}

function kilobytes(status: string, name: string): number | null {
  const text = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  return text === undefined ? null : Number(text) * 1024;
}
