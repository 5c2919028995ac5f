#!/usr/bin/env node
/**
 * The command line: `deno run -A lib/cli.ts`, `bun lib/cli.ts`, `node lib/cli.ts`.
 *
 * @module
 */
import process from "node:process";
import { nodeRefusal } from "../ffi/node-floor.ts";

const refusal = nodeRefusal("run offheap");
process.exitCode = refusal === null ? await start() : refuse(refusal.message);

/** The command line is loaded only where it can run: an old Node cannot even link it. */
async function start(): Promise<number> {
  const { main } = await import("./cli/main.ts");
  return await main(process.argv.slice(2));
}

/** Exits as a failed command, or as `run` does when it does not become the command. */
function refuse(message: string): number {
  process.stderr.write(`offheap: ${message}\n`);
  return process.argv[2] === "run" ? 125 : 1;
}
