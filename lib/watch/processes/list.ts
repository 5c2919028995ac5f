/**
 * Every process of this machine that this user may look at.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { DoctorError, SystemInfoError } from "../../errors.ts";
import { libraryFileName } from "../../library/directories.ts";
import { malformed, statusBytes } from "../../system/files.ts";
import { parseMaps } from "../../system/linux-maps.ts";
import {
  attempt,
  isRefused,
  NO_PROC,
  openProcess,
  type ProcessSource,
  readStrings,
  readText,
} from "../doctor/process-source.ts";
import type { CgroupMemory } from "../info/cgroup.ts";
import { readGroupFigures } from "../memory/group.ts";
import type { GroupFigures } from "../memory/types.ts";
import { removeStaleFiles } from "../agent/client.ts";
import { askAgents } from "./agents.ts";
import { type FileKnowledge, learnFiles } from "./files.ts";
import { environmentOf, launchOf } from "./launch.ts";
import { findServing } from "./serving.ts";
import type { ListedProcess, ProcessList, SeenProcess, ServingFacts } from "./types.ts";

/** The clock ticks of `/proc/PID/stat`: the kernel shows 100 a second to programs, whatever its own. */
const TICKS_PER_SECOND = 100;

/** The file of offheap's shim, with which agents come. */
const SHIM = libraryFileName("offheap", "linux");

/** Which processes are looked at, and what is known from before. */
export interface LookOptions {
  /** Their IDs; all of them without it. */
  readonly pids?: readonly number[] | undefined;
  /** What was learnt of files and processes by an earlier look. */
  readonly knowledge?: FileKnowledge;
}

/** The processes that this user may look at, and how many others there are. */
export interface Look {
  /** The processes, by their IDs. */
  readonly seen: readonly SeenProcess[];
  /** How many may not be looked at. */
  readonly hidden: number;
}

/**
 * Looks at the processes of this machine from outside. Linux only. Threads of the kernel and processes
 * that have ended are left out.
 *
 * @throws {DoctorError} on another system, or without `/proc`.
 * @throws {PermissionError} when the runtime does not permit to read `/proc`.
 */
export function lookAtProcesses({ pids, knowledge = learnFiles() }: LookOptions = {}): Look {
  if (process.platform !== "linux") {
    throw new DoctorError(
      `Cannot list processes: that needs /proc as Linux has it, and this system is ` +
        `${process.platform}.`,
    );
  }
  if (!existsSync("/proc/self")) throw new DoctorError(`Cannot list processes: ${NO_PROC}.`);
  const uptime = readUptime();
  const measured = new Map<string, CgroupMemory | null>();
  const seen: SeenProcess[] = [];
  let hidden = 0;
  for (const pid of pids ?? processIds()) {
    try {
      const source = openProcess(pid);
      const found = attempt(
        pid,
        source.directory,
        () => describe(source, uptime, knowledge, measured),
      );
      if (found !== null) seen.push(found);
    } catch (error) {
      if (!(error instanceof DoctorError)) throw error;
      if (isRefused(error)) hidden++;
    }
  }
  return { seen, hidden };
}

/**
 * Lists the processes of this machine, and removes what agents left whose processes were killed.
 *
 * @throws As {@linkcode lookAtProcesses}.
 */
export async function listProcesses(): Promise<ProcessList> {
  const { seen, hidden } = lookAtProcesses();
  await removeStaleFiles();
  const processes = (await askAgents(seen)).sort((a, b) => b.resident - a.resident);
  return { processes, hidden };
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

/** A process that has just been started may still be loading its libraries. */
const SETTLED_SECONDS = 10;

/** One process; `null` for what has no program: a thread of the kernel, or a process that has ended. */
function describe(
  source: ProcessSource,
  uptime: number,
  knowledge: FileKnowledge,
  measured: Map<string, CgroupMemory | null>,
): SeenProcess | null {
  const status = readText(source, "status");
  const resident = statusBytes(status, "VmRSS");
  if (resident === null) return null;
  const executable = source.executable();
  if (executable === null) return null;
  const { parent, startTicks, stackStart } = readStat(source);
  const ageSeconds = Math.max(0, uptime - startTicks / TICKS_PER_SECOND);
  const facts = knowledge.serving(
    // A program that starts itself again has another stack, and may have other libraries.
    `${source.pid} ${startTicks} ${executable} ${stackStart}`,
    ageSeconds > SETTLED_SECONDS,
    () => findOut(source, executable, knowledge),
  );
  const swap = statusBytes(status, "VmSwap");
  const group = readGroup(source.pid, measured);
  const listed: ListedProcess = {
    pid: source.pid,
    parent,
    user: Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]),
    command: readStrings(source, "cmdline"),
    executable,
    runtime: facts.runtime,
    allocator: facts.allocator,
    verified: false,
    resident,
    allocated: null,
    heldBack: null,
    swap,
    limit: typeof group === "string" ? null : group.limit ?? null,
    ageSeconds,
    absent: {
      ...(swap === null ? { swap: "the kernel does not count it" } : {}),
      ...(typeof group === "string" ? { limit: group } : {}),
    },
  };
  return { listed, facts, startTicks, group };
}

/** What does not change while a process runs one program. */
function findOut(
  source: ProcessSource,
  executable: string,
  knowledge: FileKnowledge,
): ServingFacts {
  const mappings = executableMappings(readText(source, "maps"));
  const program = knowledge.program(source.directory);
  return {
    runtime: program.runtime,
    allocator: findServing(source, executable, mappings, program, knowledge),
    hasShim: mappings.some(({ path }) => path !== null && basename(path) === SHIM),
    launch: launchOf(environmentOf(readStrings(source, "environ"))),
  };
}

/** Only mapped files that hold code are looked at; a browser has thousands of other mappings. */
function executableMappings(text: string): ReturnType<typeof parseMaps> {
  const code = text.split("\n").filter((line) => line.includes("xp ") && line.includes("/"));
  const first = new Map(parseMaps(code.join("\n")).toReversed().map((each) => [each.path, each]));
  return [...first.values()].toReversed();
}

function readGroup(
  pid: number,
  measured: Map<string, CgroupMemory | null>,
): GroupFigures | string {
  try {
    return readGroupFigures({ pid, measured });
  } catch (error) {
    if (!(error instanceof SystemInfoError)) throw error;
    return error.message;
  }
}

interface Stat {
  readonly parent: number;
  readonly startTicks: number;
  /** Where its stack begins: a number of digits, as no arithmetic is done with it. */
  readonly stackStart: string | undefined;
}

/** The fields after the command's name, which may itself hold blanks and parentheses. */
function readStat(source: ProcessSource): Stat {
  const text = readText(source, "stat");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(fields[1]), startTicks: Number(fields[19]), stackStart: fields[25] };
}
