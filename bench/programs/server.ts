/**
 * An HTTP server as many are: it parses a body's worth of JSON, makes another, and compresses it.
 *
 *     node bench/programs/server.ts PORT
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import process from "node:process";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

const ITEMS = 200;
const text: string = JSON.stringify(
  Array.from({ length: ITEMS }, (_, id) => ({ id, name: `item ${id}`, price: id * 1.1 })),
);
const compress = promisify(gzip);

async function answer(): Promise<Buffer> {
  const items: { id: number; name: string; price: number }[] = JSON.parse(text);
  const sum = items.reduce((total, { price }) => total + price, 0);
  return await compress(Buffer.from(JSON.stringify({ sum, items })));
}

const server = createServer((_, response) => {
  answer().then(
    (body) => response.writeHead(200, { "content-encoding": "gzip" }).end(body),
    (error) => response.writeHead(500).end(String(error)),
  );
});
server.listen(Number(process.argv[2]), "127.0.0.1");
process.once("SIGTERM", () => process.exit(0));
