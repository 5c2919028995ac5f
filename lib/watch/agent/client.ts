/**
 * Asking the agent of a process: one line there, one line of JSON back.
 *
 * @module
 */
import { rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { AgentError } from "../../errors.ts";
import { errorCode } from "../../system/files.ts";
import { whyUnseen } from "../doctor/process-source.ts";
import {
  type AgentPlace,
  agentPlaces,
  agentProcess,
  boundPaths,
  type BoundSockets,
  ownFiles,
  wantsAgent,
} from "./sockets.ts";
import type { AgentAnswer, AgentQuestion } from "./types.ts";

/** The version of the protocol that is spoken here. */
const PROTOCOL = 1;

/** How long an answer may take: giving back much memory takes a while. */
const LIMIT_MS = 30_000;

/** The same of a process that is stopped: it may be traced, and go on in a moment. */
const STOPPED_LIMIT_MS = 1000;

/** Far more than any answer has. */
const MAX_BYTES = 65_536;

/**
 * How often a question is put. An agent waits for it a fifth of a second, as it has the program's
 * memory to look after; who could not write in time, on a busy machine, has lost nothing.
 */
const ATTEMPTS = 5;

/** What a question ends with that came too late. */
const TOO_LATE: readonly string[] = ["EPIPE", "ECONNRESET"];

/** What a connection ends with when nobody listens any more. */
const STALE: readonly string[] = ["ECONNREFUSED", "ENOENT"];

/** Sends a line, and gives what comes back until the end. */
function exchange(path: string, line: string, milliseconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    let text = "";
    const limit = setTimeout(() => {
      socket.destroy(new Error(`it did not answer within ${milliseconds / 1000} s`));
    }, milliseconds);
    socket.setEncoding("utf8");
    socket.on("connect", () => socket.write(`${line}\n`));
    socket.on("data", (part: string) => {
      text += part;
      if (text.length > MAX_BYTES) socket.destroy(new Error("its answer is too long"));
      // The line is all: waiting for the end would be waiting for the agent's next look.
      else if (text.endsWith("\n")) socket.destroy();
    });
    socket.on("error", (error) => {
      clearTimeout(limit);
      reject(error);
    });
    socket.on("close", () => {
      clearTimeout(limit);
      resolve(text);
    });
  });
}

/** As {@linkcode exchange}, again where the question came too late. */
async function ask(path: string, line: string, milliseconds: number): Promise<string> {
  for (let attempt = 1;; attempt++) {
    try {
      return await exchange(path, line, milliseconds);
    } catch (error) {
      if (attempt === ATTEMPTS || !TOO_LATE.includes(errorCode(error))) throw error;
    }
  }
}

function readAnswer(pid: number, ownPid: number, text: string): Record<string, unknown> {
  const fail = (why: string, cause?: unknown): never => {
    throw new AgentError(`Cannot ask the agent of process ${pid}: ${why}.`, { cause });
  };
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (error) {
    return fail(`it answered ${JSON.stringify(text.slice(0, 80))}`, error);
  }
  if (typeof answer !== "object" || answer === null) return fail(`it answered ${text.trim()}`);
  const fields = answer as Record<string, unknown>;
  if (fields.offheap !== PROTOCOL) {
    return fail(
      `it speaks version ${fields.offheap} of the protocol, and this offheap ${PROTOCOL}`,
    );
  }
  if (typeof fields.error === "string") return fail(fields.error);
  if (fields.pid !== ownPid) return fail(`another process, ${fields.pid}, answers for it`);
  return fields;
}

/** Where this process's own agent has answered: looking for it takes longer than asking it. */
let ownPlace: AgentPlace | null = null;

/** Its answers name it as its own namespace does. */
const OWN_PROCESS = { ownPid: process.pid, root: "/", stopped: false } as const;

/** How an agent is asked. */
export interface AskOptions {
  /** The longest that it may take to answer, in milliseconds: half a minute by default. */
  readonly milliseconds?: number;
  /** The sockets of the machine, where many agents are asked at one moment. */
  readonly bound?: BoundSockets;
}

/**
 * Asks the agent of a process, which is this machine's, in a container or not.
 *
 * @throws {AgentError} when it has none, or the agent does not answer this user.
 * @throws {PermissionError} when the runtime's permissions do not allow it.
 */
export async function askAgent<Q extends AgentQuestion>(
  pid: number,
  question: Q,
  { milliseconds = LIMIT_MS, bound }: AskOptions = {},
): Promise<AgentAnswer<Q>> {
  const fail = (why: string): never => {
    throw new AgentError(`Cannot ask the agent of process ${pid}: ${why}.`);
  };
  if (process.platform !== "linux") return fail("Linux alone has agents");
  const isOwn = pid === process.pid;
  const known = isOwn && ownPlace !== null
    ? OWN_PROCESS
    : agentProcess(pid) ?? fail(whyUnseen(pid));
  const places = isOwn && ownPlace !== null ? [ownPlace] : agentPlaces(pid, known, bound);
  const limit = known.stopped ? Math.min(milliseconds, STOPPED_LIMIT_MS) : milliseconds;
  const failures: string[] = [];
  for (const place of places) {
    try {
      const text = await ask(place.path, question, limit);
      const answer = readAnswer(pid, known.ownPid, text);
      if (isOwn) ownPlace = place;
      // The protocol's answer to this question, of the version that was compared.
      return answer as unknown as AgentAnswer<Q>;
    } catch (error) {
      if (error instanceof AgentError) throw error;
      // Whoever tidied up may have removed it: the next time it is looked for.
      if (isOwn) ownPlace = null;
      if (known.stopped) {
        return fail(
          `the process is stopped, by a signal or a debugger. \`kill -CONT ${pid}\` lets it go on`,
        );
      }
      failures.push(`${place.called}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return fail(failures.length > 0 ? failures.join("; ") : whyNone(pid));
}

function whyNone(pid: number): string {
  return wantsAgent(pid)
    ? "it was asked for, and has not started: the process has made no thread yet, or the agent's " +
      "could not be made. Or this user may not see it"
    : 'it has none, or none that this user may see. Programs that "offheap run" starts have one, ' +
      "and their children that are Node, Deno or Bun, once they have made a thread";
}

/**
 * Whether somebody may listen at a socket. One that cannot be connected to for another reason may be
 * that of a process which is stopped, and has more questions waiting than there is room for.
 */
function mayListen(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (error) => resolve(!STALE.includes(errorCode(error))));
  });
}

/** An agent makes its socket's file a moment before it listens there, and a dump before it is fetched. */
const YOUNG_MS = 10_000;

/** Removes what this user's processes left when they were killed: sockets, and dumps that nobody fetched. */
export async function removeStaleFiles(): Promise<void> {
  const bound = boundPaths();
  await Promise.all(
    ownFiles().map(async (path) => {
      // Bun calls it refused, too, when there is no room for a question more.
      if (bound.has(path)) return;
      const made = statSync(path, { throwIfNoEntry: false });
      if (made === undefined || Date.now() - made.mtimeMs < YOUNG_MS) return;
      // A socket may be of a container with a network of its own, which shares the directory; at a dump
      // nobody listens.
      if (!await mayListen(path)) rmSync(path, { force: true });
    }),
  );
}
