/**
 * Programs that run with heap profiling, and the profiles that are taken of them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type AnsweringChild, withChild } from "./child.ts";
import { temporaryDirectory } from "./compile.ts";
import { FIXTURES, offheapCommand, runChild, runtimeCommand } from "./runtime.ts";

/** Where profiles are written. */
export const directory: string = temporaryDirectory();

/** One sample for each 64 KiB: 400 of what the fixture leaks. */
export const PREPARED: readonly string[] = ["--heap-profiling=64KiB"];

/** Runs `heap-holding.ts` by `offheap run`, until the test is done with it. */
export function withHolder<R>(
  options: readonly string[],
  use: (child: AnsweringChild) => R | Promise<R>,
  program: readonly string[] = runtimeCommand(join(FIXTURES, "heap-holding.ts")),
): Promise<R> {
  const [command, ...args] = offheapCommand("run", ...options, "--", ...program);
  return withChild(command, args, {}, use);
}

/** Runs `offheap heap`, which must succeed; what it printed. */
export async function heap(...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runChild(offheapCommand("heap", ...words));
  assert.equal(status, 0, `${stdout}${stderr}`);
  return stdout;
}

/** The same where it has to fail; what it said. */
export async function refusedHeap(...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runChild(offheapCommand("heap", ...words));
  assert.equal(status, 1, `${stdout}${stderr}`);
  assert.equal(stdout, "");
  assert.doesNotMatch(stderr, /\n\s+at /, "a sentence, and no stack");
  return stderr;
}
