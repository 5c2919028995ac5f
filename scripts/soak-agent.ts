/**
 * Keeps the agent busy for some minutes: a program of two threads that allocate makes 50 children a
 * second, and as often the agent is asked to give memory back and to count. Fails when a child or an
 * answer is lost, or the program's resident memory grows.
 *
 *     node scripts/soak-agent.ts [--minutes N] [--allocator NAME]
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Command } from "commander";
import { median } from "simple-statistics";
import { askAgent } from "../lib/watch/agent/client.ts";
import { positive } from "../tools/common.ts";
import { CLI, FIXTURES } from "../tools/paths.ts";

const PROGRAM = join(FIXTURES, "threads.c");
const FORKS_A_SECOND = 50;
const EVERY_MS = 1000 / FORKS_A_SECOND;
/** What resident memory may be more at the end than after the beginning: 2 MiB of noise. */
const NOISE = 2 << 20;

const { minutes, allocator } = new Command("node scripts/soak-agent.ts")
  .option("--minutes <number>", "how long", positive, 5)
  .option("--allocator <name>", "as for offheap run", "jemalloc")
  .parse().opts<{ minutes: number; allocator: string }>();

const directory = mkdtempSync(join(tmpdir(), "offheap-soak-"));
const program = join(directory, "threads");
execFileSync("cc", ["-O1", "-pthread", PROGRAM, "-o", program, "-ldl"]);
const forks = ["forks", `${minutes * 60 * FORKS_A_SECOND}`, `${EVERY_MS}`];
const command = ["run", "-a", allocator, "--", program, "thread", "say", "ready", ...forks];
const child = spawn(process.execPath, [CLI, ...command], { stdio: ["ignore", "pipe", "inherit"] });
const pid = child.pid ?? 0;
let output = "";
child.stdout.on("data", (text) => output += text);
const ended = new Promise<number | null>((resolve) => child.once("close", resolve));

const resident: number[] = [];
let lost = 0;
while (!output.startsWith("ready")) await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
await new Promise((resolve) => setTimeout(resolve, 1000));
/** Whether the program has ended, or says that it is about to. */
const isOver = (): boolean =>
  child.exitCode !== null || child.signalCode !== null || output.includes("failed");
const began = performance.now();
while (!isOver()) {
  const next = performance.now() + EVERY_MS;
  try {
    const { residentAfter } = await askAgent(pid, "purge");
    await askAgent(pid, "stats");
    resident.push(residentAfter);
  } catch (error) {
    // It may end while it is asked.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (isOver()) break;
    lost++;
    console.error(error);
  }
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
}
const seconds = (performance.now() - began) / 1000;
const status = await ended;
rmSync(directory, { recursive: true });

const tenth = Math.ceil(resident.length / 10);
const first = median(resident.slice(tenth, 2 * tenth));
const last = median(resident.slice(-tenth));
const [, failed = "unknown"] = /^(\d+) of \d+ failed$/m.exec(output) ?? [];
const outcome = output.trim().split("\n").at(-1);
const rate = (resident.length / seconds).toFixed(1);
console.log(
  `${allocator}, ${minutes} min: ${outcome}; ${resident.length} purges and as many counts, ${rate} a ` +
    `second, ${lost} answers lost; resident ${first} B at first, ${last} B at last`,
);
process.exitCode = status === 0 && failed === "0" && lost === 0 && last <= first + NOISE ? 0 : 1;
