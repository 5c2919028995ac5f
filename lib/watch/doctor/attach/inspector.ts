/**
 * The inspector of a running process: finding where it listens, and asking it.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { linkText } from "../../../system/files.ts";

/** How long an answer may take; a program that computes without a pause gives none. */
const PATIENCE = 5000;

/** How often it is looked whether something has come about, and for how long. */
const LOOK = { every: 20, times: 150 };

/** A session with an inspector. Its errors say what the inspector does: "does not answer". */
export interface InspectorSession {
  /**
   * Has an expression evaluated.
   *
   * @returns Its value, as JSON can hold it.
   * @throws {RangeError} when no answer comes in time, the session ends first, or the expression throws.
   */
  evaluate(expression: string): Promise<unknown>;
  /**
   * Has an expression evaluated that closes the inspector. On a busy machine its answer may come or not:
   * the session's end is as good.
   *
   * @throws {RangeError} when neither comes in time, or the expression throws.
   */
  evaluateLast(expression: string): Promise<void>;
  /**
   * Waits until the inspector has ended the session. Ending it from here while it does so itself can
   * end the program: Node (26.10) then uses a session after it was freed, of the frame that says so.
   */
  ended(): Promise<void>;
}

/**
 * The ports on which a process listens on loopback.
 *
 * Errors of the file system come as they are.
 */
export function listeningPorts(pid: number): Set<number> {
  const descriptors = `/proc/${pid}/fd`;
  const sockets = new Set(
    readdirSync(descriptors).flatMap((name) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkText(`${descriptors}/${name}`))?.[1];
      return inode === undefined ? [] : [inode];
    }),
  );
  const ports = readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n").slice(1).flatMap(
    (line) => {
      const [, address = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      // 127.0.0.1 in the byte order of the machine, and a socket that listens.
      const [host, port = ""] = address.split(":");
      return state === "0A" && host === "0100007F" && sockets.has(inode)
        ? [Number.parseInt(port, 16)]
        : [];
    },
  );
  return new Set(ports);
}

/** Waits until something is there; `null` when it does not come. */
export async function waitFor<T>(look: () => T | undefined): Promise<T | null> {
  for (let time = 0; time < LOOK.times; time++) {
    const found = look();
    if (found !== undefined) return found;
    await wait(LOOK.every);
  }
  return null;
}

/**
 * Opens a session with the inspector at a port of loopback.
 *
 * @throws {RangeError} when it does not answer as an inspector does.
 */
export async function openSession(port: number): Promise<InspectorSession> {
  const socket = new WebSocket(await findAddress(port));
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new RangeError("accepts no session")), PATIENCE);
    socket.onopen = () => (clearTimeout(timer), resolve());
    socket.onerror = () => (clearTimeout(timer), reject(new RangeError("refuses a session")));
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.onmessage = ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    waiting.get(answer.id)?.(answer);
  };
  const closed = new Promise<void>((resolve) => socket.onclose = () => resolve());
  let last = 0;
  /** `null` when the session ended before the answer. */
  const ask = async (expression: string): Promise<{ value?: unknown } | null> => {
    const id = ++last;
    const { promise, resolve, reject } = Promise.withResolvers<Answer | null>();
    const timer = setTimeout(
      () => reject(new RangeError("does not answer: the program computes without a pause")),
      PATIENCE,
    );
    waiting.set(id, resolve);
    void closed.then(() => resolve(null));
    socket.send(JSON.stringify({
      id,
      method: "Runtime.evaluate",
      params: { expression, returnByValue: true },
    }));
    try {
      const answer = await promise;
      if (answer === null) return null;
      const { result } = answer;
      if (result?.exceptionDetails === undefined && result?.result !== undefined) {
        return result.result;
      }
      throw new RangeError("cannot evaluate what it is asked");
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  };
  return {
    async evaluate(expression) {
      const answer = await ask(expression);
      if (answer === null) throw new RangeError("ended the session");
      return answer.value;
    },
    async evaluateLast(expression) {
      await ask(expression);
    },
    async ended() {
      const timer = setTimeout(() => socket.close(), PATIENCE); // a program that is busy
      await closed;
      clearTimeout(timer);
    },
  };
}

/** What an inspector answers. */
interface Answer {
  readonly id: number;
  readonly result?: {
    readonly result?: { readonly value?: unknown };
    readonly exceptionDetails?: unknown;
  };
}

async function findAddress(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/json/list`, {
    signal: AbortSignal.timeout(PATIENCE),
  });
  const targets: unknown = await response.json();
  const url = Array.isArray(targets) ? targets[0]?.webSocketDebuggerUrl : undefined;
  if (typeof url !== "string") throw new RangeError("lists nothing that can be inspected");
  return url;
}
