/**
 * The server: `node:http` and `node:https`, with limits on what a request may be and how many there are.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Socket } from "node:net";
import { OffheapError, SystemInfoError } from "../../errors.ts";
import { errorCode } from "../../system/files.ts";
import { type AccessRules, refusalOf } from "./access.ts";
import type { Answer } from "./answer.ts";
import { CONNECTION_LIMITS, type Connections, limitConnections } from "./connections.ts";
import { type Certificate, type ListenAddress, urlHost } from "./listen.ts";
import { findRoute, problem, type Sources } from "./routes.ts";

/** What the server takes at most. */
export const LIMITS = {
  ...CONNECTION_LIMITS,
  /** Bytes of a request's headers. */
  headerBytes: 8192,
  /** Characters of a request's path. */
  pathLength: 256,
  /** Bytes of a request's body: nothing that is asked has one. */
  bodyBytes: 1024,
  /** Milliseconds for a request to come. */
  requestMs: 10_000,
  /** Milliseconds that a connection may rest. */
  idleMs: 15_000,
  /** Milliseconds for an answer to be made. */
  answerMs: 60_000,
} as const;

/** How it serves. */
export interface ServerOptions extends AccessRules {
  /** Where it listens. */
  readonly listen: ListenAddress;
  /** Whether there is nothing but metrics. */
  readonly metricsOnly: boolean;
  /** The certificate and its key; `null` for plain HTTP. */
  readonly certificate: Certificate | null;
}

/** A server that listens. */
export interface RunningServer {
  /** Where. */
  readonly url: string;
  /** Ends it, and all of its connections. */
  close(): Promise<void>;
}

/** What every answer has: nothing of it is kept, framed, or takes in anything from elsewhere. */
const HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

function send(response: ServerResponse, answer: Answer, isHead: boolean): void {
  const body = typeof answer.body === "string"
    ? new TextEncoder().encode(answer.body)
    : answer.body;
  response.writeHead(answer.status, {
    ...HEADERS,
    "Content-Type": answer.type,
    "Content-Length": String(body.length),
    ...answer.headers,
  });
  response.end(isHead ? undefined : body);
}

/** Reads a body to its end, and forgets it; whether it was too long. */
async function drain(request: IncomingMessage): Promise<boolean> {
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > LIMITS.bodyBytes) return true;
  }
  return false;
}

/** All values of a header, which runtimes join or drop where it comes twice. */
function valuesOf(request: IncomingMessage, name: string): string[] {
  const { rawHeaders } = request;
  const values = rawHeaders.filter((_, index) =>
    index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name
  );
  const joined = request.headers[name];
  return values.length > 0 ? values : joined === undefined ? [] : [String(joined)];
}

async function answerTo(
  request: IncomingMessage,
  options: ServerOptions,
  sources: Sources,
): Promise<Answer> {
  const { method = "GET", url = "/" } = request;
  const path = url.split("?")[0] ?? "/";
  if (path.length > LIMITS.pathLength) return problem(414, "the path is too long");
  const route = findRoute(method, path, options.metricsOnly);
  const refusal = refusalOf(
    {
      method,
      host: valuesOf(request, "host"),
      origin: valuesOf(request, "origin")[0],
      site: valuesOf(request, "sec-fetch-site")[0],
      authorization: request.headers.authorization,
    },
    options,
    typeof route !== "number" && route.isOpen,
  );
  if (refusal !== null) return problem(refusal.status, refusal.message);
  if (route === 404) return problem(404, "there is nothing here");
  if (typeof route === "number") return problem(route, "nothing is changed by this method");
  if (await drain(request)) return problem(413, "the body is too long");
  return await route.answer(sources);
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServerOptions,
  sources: Sources,
): Promise<void> {
  let answer: Answer;
  try {
    answer = await answerTo(request, options, sources);
  } catch (error) {
    // Who asked has gone before all of the question was here: that is nobody's fault to be shown.
    if (request.destroyed && !request.complete) return;
    // What the machine is to blame for is said; a fault of offheap's own is not shown to others.
    answer = error instanceof OffheapError
      ? problem(500, error.message)
      : problem(500, "offheap failed; its standard error says how");
    if (!(error instanceof OffheapError)) console.error(error);
  }
  if (answer.status === 413) response.setHeader("Connection", "close");
  send(response, answer, request.method === "HEAD");
}

/** What to do when it cannot listen, by the system's error. */
const LISTEN_ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "Another program listens there: end it, or choose another port, as in --listen 9465.",
  EADDRNOTAVAIL: "This machine has no such address: `ip address` lists those that it has.",
  EACCES: "Ports below 1024 are for root: choose another one, as in --listen 9465.",
};

function listenError(listen: ListenAddress, error: Error): SystemInfoError {
  const advice = LISTEN_ADVICE[errorCode(error)] ?? "Choose another address with --listen.";
  return new SystemInfoError(
    `Cannot serve at ${urlHost(listen)}: ${error.message}. ${advice}`,
    { cause: error },
  );
}

/**
 * Serves.
 *
 * @throws {SystemInfoError} when it cannot listen there.
 */
export async function startServer(
  options: ServerOptions,
  sources: Sources,
): Promise<RunningServer> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (!connections.ask(request.socket, response)) return;
    response.setTimeout(LIMITS.answerMs, () => request.destroy());
    void handle(request, response, options, sources).then(() => connections.sent(response));
  };
  const common = {
    maxHeaderSize: LIMITS.headerBytes,
    headersTimeout: LIMITS.requestMs,
    requestTimeout: LIMITS.requestMs,
    keepAliveTimeout: LIMITS.idleMs,
    // Of TLS.
    handshakeTimeout: LIMITS.requestMs,
    connectionsCheckingInterval: 1000,
  };
  const server = options.certificate === null
    ? createServer(common, listener)
    : createSecureServer({ ...common, ...options.certificate }, listener) as unknown as Server;
  server.on("clientError", (_: Error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
  // Nothing can be said to who has not shaken hands: it would wait for that for ever.
  server.on("tlsClientError", (_: Error, socket: Socket) => socket.destroy());
  const connections: Connections = limitConnections(server);
  const { host, port } = options.listen;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(options.listen, error)));
    server.listen({ host, port }, resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `${options.certificate === null ? "http" : "https"}://${urlHost({ host, port: bound })}`,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        connections.end();
        server.closeAllConnections();
      });
    },
  };
}
