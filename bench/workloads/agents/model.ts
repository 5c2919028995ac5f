/**
 * The model, as agents see it: a service in a process of its own.
 *
 * @module
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { Delta, DONE, type ModelRequest, type ToolName, TOOLS } from "./protocol.ts";

/** A call of a tool, its arguments checked. */
export type ToolCall = {
  [N in ToolName]: { readonly name: N; readonly arguments: z.infer<typeof TOOLS[N]> };
}[ToolName];

/** A whole answer. */
export interface Answer {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** How many events it came in. */
  readonly events: number;
}

/** A model that is running. */
export interface Model {
  /**
   * Asks, and reads the answer as it comes.
   *
   * @throws {Error} when the answer is truncated or does not follow the protocol.
   */
  ask(asked: ModelRequest): Promise<Answer>;
  /** Closes all connections and ends the service's process. */
  close(): Promise<void>;
}

const SERVER = fileURLToPath(new URL("model-server.ts", import.meta.url));
/** How long the service may take to end by itself, in milliseconds. */
const GRACE = 5000;
/**
 * What the service does not inherit: in earnest it is another machine, whose allocator is not the
 * one that is measured.
 */
const NOT_INHERITED =
  /^(LD_PRELOAD|DYLD_INSERT_LIBRARIES|NODE_OPTIONS|DENO_V8_FLAGS|MALLOC_CONF|MIMALLOC_.*|OFFHEAP_.*)$/;

/** Starts a model in the runtime that runs this. */
export async function startModel(seed: number): Promise<Model> {
  const environment = Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name));
  const child = fork(SERVER, [String(seed)], { env: Object.fromEntries(environment) });
  const ended = once(child, "exit");
  const port = await Promise.race([
    once(child, "message").then(([message]) => Number(message)),
    ended.then(([code]) => {
      throw new Error(`Cannot start the model: its process ended with status ${code}`);
    }),
  ]);
  const agent = new Agent({ keepAlive: true });
  return {
    async ask(asked) {
      const outgoing = request({ host: "127.0.0.1", port, method: "POST", path: "/chat", agent });
      const answered = once(outgoing, "response");
      outgoing.end(JSON.stringify(asked));
      const [incoming] = await answered;
      return await readAnswer(incoming as IncomingMessage);
    },
    async close() {
      agent.destroy();
      child.disconnect();
      const limit = setTimeout(() => child.kill("SIGKILL"), GRACE);
      const [code, signal] = await ended;
      clearTimeout(limit);
      if (code !== 0) throw new Error(`Cannot close the model: it ended with ${signal ?? code}`);
    },
  };
}

/** A call while it comes in. */
interface Pending {
  readonly name: string;
  json: string;
}

async function readAnswer(incoming: IncomingMessage): Promise<Answer> {
  let [text, line, events, done] = ["", "", 0, false];
  const pending: Pending[] = [];
  incoming.setEncoding("utf8");
  for await (const part of incoming as AsyncIterable<string>) {
    const lines = (line + part).split("\n");
    line = lines.pop() ?? "";
    for (const each of lines) {
      if (!each.startsWith("data: ")) continue;
      const data = each.slice("data: ".length);
      done = data === DONE;
      if (done) continue;
      events++;
      const delta = Delta.parse(JSON.parse(data));
      if ("content" in delta) text += delta.content;
      else if ("name" in delta) pending[delta.index] = { name: delta.name, json: "" };
      else (pending[delta.index] as Pending).json += delta.arguments;
    }
  }
  if (!done) {
    throw new Error(`Cannot read the model's answer: it was truncated after ${events} events`);
  }
  return { text, calls: pending.map(checkCall), events };
}

function checkCall({ name, json }: Pending): ToolCall {
  if (!Object.hasOwn(TOOLS, name)) throw new Error(`Cannot call a tool: there is no "${name}"`);
  const tool = TOOLS[name as ToolName];
  return { name, arguments: tool.parse(JSON.parse(json)) } as ToolCall;
}
