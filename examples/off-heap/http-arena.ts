/**
 * An arena per request, in the HTTP server of the runtime that runs this: the pieces of a response
 * are allocated one by one and freed all at once. The program sends itself requests, and ends.
 *
 * ```sh
 * node examples/off-heap/http-arena.ts
 * ```
 *
 * @module
 */
import { createServer } from "node:http";
import process from "node:process";
import { type Allocator, type Arena, openAllocator } from "../../mod.ts";

const HOST = "127.0.0.1";
const REQUESTS = 20;

/** A server that was started: where, and how to stop it. */
interface Running {
  readonly port: number;
  stop(): Promise<void>;
}

/** A table of numbers as CSV, from many small pieces. */
function buildTable(arena: Arena, rows: number): Uint8Array<ArrayBuffer> {
  const pieces = [arena.allocateFrom("n,square,root\n")];
  for (let n = 0; n < rows; n++) {
    pieces.push(arena.allocateFrom(`${n},${n * n},${Math.sqrt(n).toFixed(6)}\n`));
  }
  const table = arena.allocate(pieces.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const piece of pieces) {
    table.set(piece, end);
    end += piece.length;
  }
  return table;
}

function rowsOf(url: string): number {
  return Number(new URL(url, `http://${HOST}`).searchParams.get("rows") ?? 0);
}

/** For Deno's and Bun's servers. A `Response` copies the bytes, so the arena can end at once. */
function respond(memory: Allocator, request: Request): Response {
  const arena = memory.arena();
  try {
    return new Response(buildTable(arena, rowsOf(request.url)));
  } finally {
    arena.free();
  }
}

/** Node's server writes from the arena's memory itself, which must last until that was done. */
function startNode(memory: Allocator): Promise<Running> {
  const server = createServer((request, response) => {
    const arena = memory.arena();
    response.once("close", () => arena.free());
    response.end(buildTable(arena, rowsOf(request.url ?? "/")));
  });
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return new Promise((resolve) => {
    server.listen(0, HOST, () => {
      const address = server.address();
      resolve({ port: typeof address === "object" ? address?.port ?? 0 : 0, stop });
    });
  });
}

interface DenoServer {
  serve(options: object, handler: (request: Request) => Response): {
    readonly addr: { readonly port: number };
    shutdown(): Promise<void>;
  };
}

interface BunServer {
  serve(options: object): { readonly port: number; stop(force: boolean): Promise<void> };
}

async function start(memory: Allocator): Promise<Running> {
  const answer = (request: Request): Response => respond(memory, request);
  if ("deno" in process.versions) {
    const deno = Reflect.get(globalThis, "Deno") as DenoServer;
    const server = deno.serve({ hostname: HOST, port: 0, onListen() {} }, answer);
    return { port: server.addr.port, stop: () => server.shutdown() };
  }
  if ("bun" in process.versions) {
    const bun = Reflect.get(globalThis, "Bun") as BunServer;
    const server = bun.serve({ hostname: HOST, port: 0, fetch: answer });
    return { port: server.port, stop: () => server.stop(true) };
  }
  return await startNode(memory);
}

const memory = openAllocator();
const server = await start(memory);
let bytes = 0;
let lines = 0;
for (let i = 0; i < REQUESTS; i++) {
  const response = await fetch(`http://${HOST}:${server.port}/?rows=${i * 100}`);
  const text = await response.text();
  bytes += text.length;
  lines += text.split("\n").length - 1;
}
await server.stop();
console.log(`${REQUESTS} responses, ${lines} lines, ${bytes} bytes`);
const { blocks, leaks } = memory.statistics();
console.log(`${blocks} blocks in use, ${leaks} leaks`);
memory.close();
