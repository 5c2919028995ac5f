/**
 * What the agent brings: the burst of documents in Node 26 under several set-ups, each against glibc
 * without offheap in the same round, by `offheap compare`.
 *
 *     npm run bench:agent -- [--rounds N] [--scale quick] [--save FILE]
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { Command } from "commander";
import { positive } from "../tools/common.ts";
import { cleanEnvironment } from "../tools/environment.ts";
import { CLI, ROOT } from "../tools/paths.ts";
import { findRuntimes, parseRuntimeNames } from "../tools/runtimes.ts";

/** Long enough for the agent to see the rest, and to give memory back. */
const IDLE_SECONDS = 5;

const { rounds, scale, save } = new Command("npm run bench:agent --")
  .option("--rounds <number>", "how often each is run", positive, 9)
  .option("--scale <name>", "how much is done: test, quick or full", "quick")
  .option("--save <file>", "where the figures go, after each round")
  .parse().opts<{ rounds: number; scale: string; save?: string }>();

const [node] = (await findRuntimes(parseRuntimeNames(["node26"]))).found;
if (node === undefined) throw new Error("Cannot measure: there is no Node 26");
const { status } = spawnSync(
  node.binary,
  [
    CLI,
    ...["compare", "--rounds", `${rounds}`, ...(save === undefined ? [] : ["--save", save])],
    ...["--variants", join(ROOT, "bench", "agent", "variants.json")],
    ...["--metric", '"throughput":\\{"value":([0-9.]+)', "--higher-is-better"],
    ...["--", node.binary, ...node.spec.run, join(ROOT, "bench", "workloads", "documents.ts")],
    JSON.stringify({ scale, idle: IDLE_SECONDS }),
  ],
  { stdio: "inherit", env: cleanEnvironment(node.binary) },
);
process.exitCode = status ?? 1;
