/**
 * Running commands of offheap's.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChildOptions, type ChildResult, offheapCommand, runChild } from "./runtime.ts";

/** Runs a command of offheap's in the runtime that runs this test. */
export function offheap(
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildResult> {
  return runChild(offheapCommand(...args), options);
}

/** What a command prints that must end with 0 and complain about nothing. */
export async function printed(
  args: readonly string[],
  options: ChildOptions = {},
): Promise<string> {
  const { status, stdout, stderr } = await offheap(args, options);
  assert.equal(stderr, "");
  assert.equal(status, 0, stdout);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(stdout, /[│┌├└\x1b]/, "what reads a pipe gets no frames and no colours");
  return stdout;
}
