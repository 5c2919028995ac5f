/**
 * What the agent costs: the start of a program's first thread, resident memory, processor time at rest,
 * a purge of an HTTP server, and its first 1,000 requests after that. Rounds alternate between with and
 * without it; medians are shown.
 *
 *     npm run bench:agent-cost -- [--rounds N] [--json FILE]
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { Command } from "commander";
import { median, quantile } from "simple-statistics";
import { askAgent } from "../lib/watch/agent/client.ts";
import { positive } from "../tools/common.ts";
import { cleanEnvironment } from "../tools/environment.ts";
import { CLI } from "../tools/paths.ts";
import { startUntil } from "../tools/processes.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";

const SOURCE = fileURLToPath(new URL("agent/first-thread.c", import.meta.url));
const WAYS: Readonly<Record<string, readonly string[]>> = { with: [], without: ["--no-agent"] };
const ALLOCATORS = ["system", "jemalloc"] as const;
const REST_SECONDS = 20;
const REQUESTS = 1000;

/** Answers with a buffer of some KiB; `/burst` fills memory and drops it. */
const SERVER = `
const { createServer } = require("node:http");
const part = () => Buffer.allocUnsafeSlow(4096 + Math.floor(Math.random() * 3000)).fill(97);
createServer((request, response) => {
  if (request.url === "/burst") Array.from({ length: 60_000 }, part);
  response.end(part());
}).listen(0, "127.0.0.1", function () { console.log(this.address().port); });
`;

const { rounds, json } = new Command("npm run bench:agent-cost --")
  .option("--rounds <number>", "how often each is run", positive, 5)
  .option("--json <file>", "where the figures go")
  .parse().opts<{ rounds: number; json?: string }>();

const [node] = (await findRuntimes(parseRuntimeNames(["node26"]))).found;
if (node === undefined) throw new Error("Cannot measure: there is no Node 26");
const { binary } = node;
const env = cleanEnvironment(binary);
const directory = mkdtempSync(join(tmpdir(), "offheap-bench-"));

function launched(allocator: string, way: string, command: readonly string[]): string[] {
  return [CLI, "run", "-a", allocator, ...WAYS[way] ?? [], "--", ...command];
}

const figures: Record<string, number[]> = {};

function note(name: string, value: number): void {
  (figures[name] ??= []).push(value);
}

function measureThread(allocator: string, way: string): void {
  const args = launched(allocator, way, [join(directory, "first-thread"), `${REST_SECONDS}`]);
  const output = execFileSync(binary, args, { encoding: "utf8", env });
  const [made = NaN, resident = NaN, rest = NaN] = output.trim().split(" ").map(Number);
  note(`${allocator}: first thread, µs: ${way}`, made / 1000);
  note(`${allocator}: resident, KiB: ${way}`, resident);
  note(`${allocator}: at rest, % of a processor: ${way}`, rest / 10_000);
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function request(port: number, path: string): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    get({ port, path, host: "127.0.0.1", agent }, (response) => {
      response.resume().on("end", () => resolve(performance.now() - start));
    }).on("error", reject);
  });
}

async function notePurge(allocator: string, pid: number): Promise<void> {
  const { lastPurgeMilliseconds, returned } = await askAgent(pid, "stats");
  note(`${allocator}: the purge at rest, ms: with`, lastPurgeMilliseconds);
  note(`${allocator}: what it gave back, MiB: with`, returned / 2 ** 20);
}

async function measureServer(allocator: string, way: string): Promise<void> {
  const { found: port, pid, end } = await startUntil(
    [binary, ...launched(allocator, way, [binary, "-e", SERVER])],
    { env, stdio: ["ignore", "pipe", "ignore"] },
    Number,
  );
  try {
    for (let i = 0; i < REQUESTS; i++) await request(port, "/");
    for (let i = 0; i < 3; i++) await request(port, "/burst");
    await new Promise((resolve) => setTimeout(resolve, 4000));
    if (way === "with") await notePurge(allocator, pid);
    const times: number[] = [];
    for (let i = 0; i < REQUESTS; i++) times.push(await request(port, "/"));
    note(`${allocator}: request after a purge, p50 ms: ${way}`, median(times));
    note(`${allocator}: request after a purge, p99 ms: ${way}`, quantile(times, 0.99));
    note(`${allocator}: request after a purge, max ms: ${way}`, Math.max(...times));
  } finally {
    await end();
  }
}

try {
  execFileSync("cc", ["-O2", "-pthread", SOURCE, "-o", join(directory, "first-thread")]);
  for (let round = 0; round < rounds; round++) {
    for (const allocator of ALLOCATORS) {
      for (const way of Object.keys(WAYS)) {
        measureThread(allocator, way);
        await measureServer(allocator, way);
      }
    }
  }
} finally {
  agent.destroy();
  rmSync(directory, { recursive: true });
}

const table = new Table({ head: ["", ...Object.keys(WAYS)] });
const names = new Set(Object.keys(figures).map((name) => name.replace(/: \w+$/, "")));
for (const name of names) {
  const cells = Object.keys(WAYS).map((way) => {
    const values = figures[`${name}: ${way}`];
    return values === undefined ? "–" : median(values).toFixed(4);
  });
  table.push([name, ...cells]);
}
console.log(table.toString());
if (json !== undefined) writeFileSync(json, JSON.stringify(figures, null, 2));
