/**
 * Running commands by `offheap run`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./compile.ts";
import {
  builtLibrary,
  type ChildOptions,
  type ChildResult,
  FIXTURES,
  offheapCommand,
  runChild,
  runtimeCommand,
} from "./runtime.ts";

/** Prints what verification finds in its process. */
export const VERIFY: [string, ...string[]] = runtimeCommand(join(FIXTURES, "verify-child.ts"));

/** Where {@linkcode script} and {@linkcode altered} put their files. */
export const directory: string = temporaryDirectory();

/** Runs `offheap run` with arguments. */
export function run(args: readonly string[], options: ChildOptions = {}): Promise<ChildResult> {
  return runChild(offheapCommand("run", ...args), options);
}

/** The same for a launch that has to be refused; what was said. */
export async function refused(
  args: readonly string[],
  options: ChildOptions = {},
): Promise<string> {
  const { status, stdout, stderr } = await run(args, options);
  assert.equal(status, 125, `stdout: ${stdout}\nstderr: ${stderr}`);
  assert.equal(stdout, "", "the command must not have started");
  assert.match(stderr, /^offheap: /);
  assert.doesNotMatch(stderr, /\n\s+at /, "a refusal is a sentence, not a stack");
  return stderr;
}

/** Writes an executable script, and gives its path. */
export function script(name: string, text: string, mode = 0o755): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** Writes a changed copy of the built jemalloc, and gives its path. */
export function altered(name: string, change: (bytes: Uint8Array) => Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, change(new Uint8Array(readFileSync(builtLibrary("jemalloc")))));
  return path;
}
