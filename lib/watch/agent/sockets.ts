/**
 * Where the sockets of agents are: `ffi/native/agent/socket.c` makes them.
 *
 * @module
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { isPermissionRefusal, permissionError } from "../../../ffi/errors.ts";
import { readVariable } from "../../environment.ts";
import { AGENT_VARIABLE } from "../../run/agent.ts";
import { errorCode } from "../../system/files.ts";
import { runtimeOf } from "../processes/runtime.ts";

/** What Linux reports of a process that has or may have an agent. */
interface AgentProcess {
  /** Its process ID in the innermost of its namespaces, by which it names its socket. */
  readonly ownPid: number;
  /** The directory at which it sees `/`. */
  readonly root: string;
  /** Whether a signal or a debugger has stopped it: nothing in it answers until it goes on. */
  readonly stopped: boolean;
}

/** A socket. */
export interface AgentPlace {
  /** What is connected to. */
  readonly path: string;
  /** What a message calls it. */
  readonly called: string;
}

/** How the files of an agent are called: its socket, and dumps for heap profiles. */
const FILES = /^\d+(?:\.sock|\.\d+\.heap)$/;
/** The first byte of an abstract name. */
const ABSTRACT = "\0";
/** How the agent's thread is called. */
const AGENT_THREAD = "offheap";

/** What is read of other processes, which may end or belong to others at any time; `null` then. */
function attempt<T>(path: string, work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (isPermissionRefusal(error)) throw permissionError(`read "${path}"`, "--allow-read", error);
    if (errorCode(error) === "") throw error;
    return null;
  }
}

function readText(path: string): string | null {
  return attempt(path, () => readFileSync(path, "latin1"));
}

/** What is known of a process; `null` when there is no such process. */
export function agentProcess(pid: number): AgentProcess | null {
  const status = readText(`/proc/${pid}/status`);
  if (status === null) return null;
  return {
    ownPid: Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1] ?? pid),
    root: `/proc/${pid}/root`,
    stopped: /^State:\t[Tt]/m.test(status),
  };
}

/**
 * Whether a process was started to have an agent: it is the one that the variable names, or a runtime.
 * What else a launched program starts has the variable, too, and no agent.
 */
export function wantsAgent(pid: number): boolean {
  const environment = readText(`/proc/${pid}/environ`) ?? "";
  const name = `${AGENT_VARIABLE}=`;
  const entry = environment.split("\0").find((each) => each.startsWith(name));
  return entry !== undefined && (isNamed(entry.slice(name.length), pid) || isRuntime(pid));
}

/** Whether a value names a process, as `ffi/native/launched.c` reads it. */
function isNamed(value: string, pid: number): boolean {
  const [, first, id, start] = /^(?:(\*)|(\d+)(?:\.(\d+))?):/.exec(value) ?? [];
  if (first !== undefined) return true;
  if (id === undefined || Number(id) !== agentProcess(pid)?.ownPid) return false;
  const stat = readText(`/proc/${pid}/stat`) ?? "";
  return start === undefined || start === stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

function isRuntime(pid: number): boolean {
  const program = `/proc/${pid}/exe`;
  return attempt(program, () => runtimeOf(program)) !== null;
}

/** The nodes of the sockets that the agent's thread has; it may have descriptors of its own. */
function agentNodes(pid: number): string[] {
  const tasks = `/proc/${pid}/task`;
  const task = (attempt(tasks, () => readdirSync(tasks)) ?? [])
    .find((each) => readText(`${tasks}/${each}/comm`)?.trim() === AGENT_THREAD);
  const directory = `${tasks}/${task}/fd`;
  const names = task === undefined ? null : attempt(directory, () => readdirSync(directory));
  return (names ?? []).flatMap((name) => {
    const link = join(directory, name);
    return /^socket:\[(\d+)\]$/.exec(attempt(link, () => readlinkSync(link)) ?? "")?.[1] ?? [];
  });
}

/** The names of bound sockets by their nodes, as a process's network namespace has them. */
export type BoundSockets = (pid: number) => ReadonlyMap<string, string>;

/** Reads them for one process. */
function readBound(pid: number): ReadonlyMap<string, string> {
  const lines = readText(`/proc/${pid}/net/unix`)?.split("\n") ?? [];
  return new Map(lines.flatMap((line) => {
    // Number, references, protocol, flags, type, state, node and name.
    const [, node, name] = /^(?:\S+\s+){6}(\d+) (.+)$/.exec(line) ?? [];
    return node === undefined || name === undefined ? [] : [[node, name] as const];
  }));
}

/** The names of all sockets that are bound in this process's network namespace. */
export function boundPaths(): ReadonlySet<string> {
  return new Set(readBound(process.pid).values());
}

/** Reads them once for all processes of a namespace: for a look at many processes at one moment. */
export function boundSockets(): BoundSockets {
  const known = new Map<string, ReadonlyMap<string, string>>();
  return (pid) => {
    const link = `/proc/${pid}/ns/net`;
    const namespace = attempt(link, () => readlinkSync(link));
    if (namespace === null) return readBound(pid);
    const found = known.get(namespace) ?? readBound(pid);
    known.set(namespace, found);
    return found;
  };
}

/**
 * The names of the sockets at which the agent of a process listens, as it has bound them. What listens
 * under such a name is another's when the process does not have it itself: of one with
 * its process ID in another namespace, or of somebody who has taken an abstract name.
 */
function boundNames(pid: number, { ownPid }: AgentProcess, bound: BoundSockets): string[] {
  const nodes = agentNodes(pid);
  if (nodes.length === 0) return [];
  const names = bound(pid);
  return nodes.flatMap((node) => names.get(node) ?? [])
    .filter((name) => namesProcess(name, ownPid));
}

function namesProcess(name: string, ownPid: number): boolean {
  return name.endsWith(`/${ownPid}.sock`) || new RegExp(`^@offheap-\\d+-${ownPid}$`).test(name);
}

/** Where the socket of a process's agent is; empty where it has none, or none that this user may see. */
export function agentPlaces(
  pid: number,
  known: AgentProcess,
  bound: BoundSockets = readBound,
): AgentPlace[] {
  return boundNames(pid, known, bound).flatMap((name) => {
    if (name.startsWith("@")) return [{ path: `${ABSTRACT}${name.slice(1)}`, called: name }];
    // The same file by the shorter way, which a socket's address has room for.
    const path = join(known.root, name);
    const own = attempt(name, () => statSync(name));
    const its = attempt(path, () => statSync(path));
    const same = own !== null && own.dev === its?.dev && own.ino === its.ino;
    return [{ path: same ? name : path, called: path }];
  });
}

/** Whether a directory is this user's, and nobody else may write there. */
function isPrivate(directory: string): boolean {
  const it = attempt(directory, () => lstatSync(directory));
  return it !== null && it.isDirectory() && (it.mode & 0o77) === 0 && it.uid === process.getuid?.();
}

/** The files of agents in this user's own directories. */
export function ownFiles(): string[] {
  const runtime = readVariable("XDG_RUNTIME_DIR");
  return [
    ...(runtime === undefined ? [] : [join(runtime, "offheap")]),
    `/tmp/offheap-${process.getuid?.()}`,
  ].filter(isPrivate).flatMap((directory) =>
    (attempt(directory, () => readdirSync(directory)) ?? [])
      .filter((name) => FILES.test(name)).map((name) => join(directory, name))
  );
}
