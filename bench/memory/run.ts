/**
 * Starting a case in a runtime. Each case has a process of its own: what one leaves in the heap, or
 * teaches the compiler, does not reach the next, and a case alone gives what it gives among all.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { howItEnded, runToEnd } from "../../tools/processes.ts";
import type { Runtime, RuntimeName } from "../../tools/runtimes.ts";
import type { Row } from "./rows.ts";

const CHILD = fileURLToPath(new URL("./child.ts", import.meta.url));

/** The garbage collector has to be called where kept bytes are counted. */
const ARGUMENTS: Readonly<Record<RuntimeName, readonly string[]>> = {
  deno: ["run", "-A", "--no-check", "--quiet", "--v8-flags=--expose-gc"],
  bun: ["run"],
  node26: ["--no-warnings", "--expose-gc"],
  node24: ["--no-warnings", "--expose-gc"],
  node22: ["--no-warnings", "--expose-gc"],
};

/** What a case is run with. */
export interface RunOptions {
  readonly allocator: string;
  readonly effort: "full" | "quick";
}

/** Runs a case to its end; its rows. */
export async function runCase(
  { spec, binary }: Runtime,
  name: string,
  { allocator, effort }: RunOptions,
): Promise<Row[]> {
  const args = [...ARGUMENTS[spec.name], CHILD, name, spec.name, allocator, effort];
  const ending = await runToEnd([binary, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  if (ending.status === 0) return JSON.parse(ending.stdout);
  process.exitCode = 1;
  throw new Error(`Cannot measure ${name} in ${spec.title}: it ${howItEnded(ending)}`);
}
