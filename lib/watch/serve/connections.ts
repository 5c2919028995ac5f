/**
 * The connections of the server: how many there are, how much each may ask before it has its answers, and
 * for how long it may take to take them. Runtimes differ in what of this their `node:http` limits.
 *
 * @module
 */
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** What a connection may do at most. */
export const CONNECTION_LIMITS = {
  /** Connections at a time. */
  connections: 64,
  /** Requests of a connection that wait for their answers. */
  unanswered: 2,
  /** Milliseconds for an answer to be taken: as long as Prometheus waits by itself. */
  takingMs: 10_000,
} as const;

const SWEEP_MS = 1000;

/** The connections of a server. */
export interface Connections {
  /** Counts a request; whether there is to be an answer. A connection that asks too much is ended. */
  ask(socket: Socket, response: ServerResponse): boolean;
  /** An answer has been sent: from now on it has to be taken. */
  sent(response: ServerResponse): void;
  /** Ends all of them. */
  end(): void;
}

/** An answer that is not taken yet. */
interface Waiting {
  readonly socket: Socket;
  /** Until when it has to be taken; `null` while it is being made. */
  until: number | null;
}

/** Keeps the connections of a server within their limits from now on. */
export function limitConnections(server: Server): Connections {
  const sockets = new Set<Socket>();
  const waiting = new Map<ServerResponse, Waiting>();
  server.on("connection", (socket: Socket) => {
    if (sockets.size >= CONNECTION_LIMITS.connections) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  function sweep(): void {
    const now = performance.now();
    for (const [response, { socket, until }] of waiting) {
      if (until !== null && now > until) socket.destroy();
      // Deno does not say that an answer is closed whose turn has not come.
      if (socket.destroyed) waiting.delete(response);
    }
  }
  let sweeper: ReturnType<typeof setInterval> | undefined;
  server.once("listening", () => sweeper = setInterval(sweep, SWEEP_MS));
  return {
    ask(socket, response) {
      const before = [...waiting.values()].filter((each) => each.socket === socket);
      if (before.length >= CONNECTION_LIMITS.unanswered) {
        socket.destroy();
        return false;
      }
      waiting.set(response, { socket, until: null });
      response.once("close", () => waiting.delete(response));
      return true;
    },
    sent(response) {
      const found = waiting.get(response);
      if (found !== undefined) found.until = performance.now() + CONNECTION_LIMITS.takingMs;
    },
    end() {
      clearInterval(sweeper);
      for (const socket of sockets) socket.destroy();
    },
  };
}
