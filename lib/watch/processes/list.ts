/**
 * Every process of this machine that this user may look at.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { DoctorError, SystemInfoError } from "../../errors.ts";
import { libraryFileName } from "../../library/directories.ts";
import { malformed, statusBytes } from "../../system/files.ts";
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
import { removeStaleSockets } from "../agent/client.ts";
import { askAgents } from "./agents.ts";
import { type FileKnowledge, learnFiles } from "./files.ts";
import { findServing } from "./serving.ts";
import type { ListedProcess, ProcessList } from "./types.ts";

/** The clock ticks of `/proc/PID/stat`: the kernel shows 100 a second to programs, whatever its own. */
const TICKS_PER_SECOND = 100;

/** The file of offheap's shim, with which agents come. */
const SHIM = libraryFileName("offheap", "linux");

/**
 * Lists the processes of this machine, and removes the sockets of agents whose processes were killed.
 * Linux only. Threads of the kernel and processes that have ended
 * are left out.
 *
 * @throws {DoctorError} on another system, or without `/proc`.
 * @throws {PermissionError} when the runtime does not permit to read `/proc`.
 */
export async function listProcesses(): Promise<ProcessList> {
  if (process.platform !== "linux") {
    throw new DoctorError(
      `Cannot list processes: that needs /proc as Linux has it, and this system is ` +
        `${process.platform}.`,
    );
  }
  const knowledge = learnFiles();
  const uptime = readUptime();
  const processes: ListedProcess[] = [];
  const agents = new Set<number>();
  let hidden = 0;
  for (const pid of processIds()) {
    try {
      const source = openProcess(pid);
      const found = attempt(pid, source.directory, () => describe(source, uptime, knowledge));
      if (found === null) continue;
      processes.push(found.listed);
      if (found.hasShim) agents.add(pid);
    } catch (error) {
      if (!(error instanceof DoctorError)) throw error;
      if (isRefused(error)) hidden++;
    }
  }
  processes.sort((a, b) => b.resident - a.resident);
  await removeStaleSockets();
  return { processes: await askAgents(processes, (pid) => agents.has(pid)), hidden };
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
): { readonly listed: ListedProcess; readonly hasShim: boolean } | null {
  const status = readText(source, "status");
  const resident = statusBytes(status, "VmRSS");
  if (resident === null) return null;
  const executable = source.executable();
  if (executable === null) return null;
  const mappings = executableMappings(readText(source, "maps"));
  const program = knowledge.program(source.directory);
  const allocator = findServing(source, executable, mappings, program, knowledge);
  const { parent, startTicks } = readStat(source);
  const swap = statusBytes(status, "VmSwap");
  const listed: ListedProcess = {
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
    ...limitOf(source.pid, swap === null ? { swap: "the kernel does not count it" } : {}),
  };
  const hasShim = mappings.some(({ path }) => path !== null && basename(path) === SHIM);
  return { listed, hasShim };
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
