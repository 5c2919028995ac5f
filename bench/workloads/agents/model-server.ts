/**
 * The model's service: a server on loopback that streams answers as server-sent events. Its argument
 * is the seed; it sends its port to the parent and ends when the parent disconnects or dies.
 *
 * @module
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import process from "node:process";
import { text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import { answer } from "./answers.ts";
import { DONE, type ModelRequest } from "./protocol.ts";

const seed = Number(process.argv[2]);
/** Events that may leave in one segment: a model's come in small groups. */
const GROUP = 3;
/** How long an idle connection stays, in milliseconds: longer than any run. */
const KEEP_ALIVE = 600_000;

async function reply(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const body = await text(incoming);
  outgoing.writeHead(200, { "content-type": "text/event-stream" });
  let written = 0;
  for (const delta of answer(seed, JSON.parse(body) as ModelRequest, body)) {
    if (!outgoing.write(`data: ${JSON.stringify(delta)}\n\n`)) await once(outgoing, "drain");
    if (++written % GROUP === 0) await turn();
  }
  outgoing.end(`data: ${DONE}\n\n`);
}

const server = createServer((incoming, outgoing) => {
  reply(incoming, outgoing).catch((error: unknown) => {
    console.error(error);
    // The client sees a truncated answer, and fails.
    outgoing.destroy();
  });
});
server.keepAliveTimeout = KEEP_ALIVE;
process.on("disconnect", () => {
  server.close();
  server.closeAllConnections();
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("Cannot determine the port");
  process.send?.(address.port);
});
