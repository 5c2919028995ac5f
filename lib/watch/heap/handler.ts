/**
 * Heap profiles over HTTP, as Go's programs have them at `/debug/pprof/heap`.
 *
 * @module
 */
import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import { OffheapError } from "../../errors.ts";
import { heapProfile } from "./api.ts";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer>;
}

const ACTION = "answer with a heap profile";
const MAX_SECONDS = 3600;

function plain(status: number, body: string, headers = {}): Answer {
  return { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers }, body };
}

const INACTIVE = "Heap profiling is not active here. Call heapProfile.start() in the program, or " +
  'start it by "offheap run --heap-profiling --active -- …".\n';

function requireRequest(action: string, request: unknown): void {
  if (typeof request === "object" && request !== null && "method" in request && "url" in request) {
    return;
  }
  throw new TypeError(
    `Cannot ${action}: the request must have a method and a url; got ${inspect(request)}`,
  );
}

async function answer(method: string, url: string): Promise<Answer> {
  if (method !== "GET") return plain(405, "Only GET.\n", { allow: "GET" });
  const text = new URL(url, "http://localhost").searchParams.get("seconds");
  const seconds = text === null ? null : Number(text);
  if (seconds !== null && !(seconds > 0 && seconds <= MAX_SECONDS)) {
    return plain(400, `seconds must be a number up to ${MAX_SECONDS}; got ${text}\n`);
  }
  if (!await heapProfile.isActive()) return plain(403, INACTIVE);
  try {
    let profile = await heapProfile.snapshot();
    if (seconds !== null) {
      await setTimeout(seconds * 1000);
      profile = await heapProfile.difference(profile, await heapProfile.snapshot());
    }
    const headers = {
      "content-type": "application/octet-stream",
      "content-disposition": 'attachment; filename="heap.pb.gz"',
      "cache-control": "no-store",
    };
    return { status: 200, headers, body: await heapProfile.encode(profile) };
  } catch (error) {
    if (error instanceof OffheapError) return plain(500, `${error.message}\n`);
    throw error;
  }
}

/**
 * Answers a request with a heap profile of this process, gzipped pprof: what is in use, or with
 * `?seconds=30` what has come in that time and stayed. It is 403 while nothing is sampled, so that a
 * service can have it at all times. Who may ask is for the service to decide: a profile has names of
 * functions and files in it.
 *
 * @example
 * ```ts
 * import { heapProfile, heapProfileHandler } from "@offheap/offheap";
 *
 * const request = new Request("http://localhost/debug/pprof/heap");
 * console.log((await heapProfileHandler(request)).status); // 403, unless it was started as active
 * await heapProfile.start();
 * const response = await heapProfileHandler(request);
 * console.log(response.status, (await response.bytes()).length);
 * await heapProfile.stop();
 * ```
 */
export async function heapProfileHandler(request: Request): Promise<Response> {
  requireRequest(ACTION, request);
  const { status, headers, body } = await answer(request.method, request.url);
  return new Response(body, { status, headers });
}

/**
 * The same for servers of `node:http`, whose request and response it takes.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { heapProfileListener } from "@offheap/offheap";
 *
 * const server = createServer((request, response) => {
 *   if (request.url?.startsWith("/debug/pprof/heap")) void heapProfileListener(request, response);
 *   else response.end("hello");
 * });
 * server.listen(0, "127.0.0.1", () => server.close());
 * ```
 */
export async function heapProfileListener(
  request: { readonly method?: string | undefined; readonly url?: string | undefined },
  response: {
    writeHead(status: number, headers: Record<string, string>): unknown;
    end(body: string | Uint8Array): unknown;
  },
): Promise<void> {
  requireRequest(ACTION, request);
  const { status, headers, body } = await answer(request.method ?? "GET", request.url ?? "/");
  response.writeHead(status, { ...headers });
  response.end(body);
}
