import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { runtimeInfo } from "../../ffi/mod.ts";
import type { LibraryName, Variant } from "../../lib/library/manifest.ts";
import { environmentWithout } from "../../tools/environment.ts";
import { builtLibrary as pathOfBuilt, CLI, FIXTURES, ROOT } from "../../tools/paths.ts";
import { type CommandOptions, type Ending, runToEnd } from "../../tools/processes.ts";

export { FIXTURES, ROOT };

/** How long a child process may take before it is killed: far more than any needs. */
const LIMIT_MS = 60_000;

const PREFIXES: Readonly<Record<string, readonly string[]>> = {
  deno: ["run", "--allow-all", "--no-check", "--quiet"],
  bun: [],
  node: ["--no-warnings"],
};

/** Where `npm test` has bundled the programs that tests start; without it their sources are run. */
const BUNDLE: string | undefined = process.env.OFFHEAP_TEST_BUNDLE;

/** What is started for one of this repository's scripts: the same from the bundle, if it is there. */
export function programOf(script: string): string {
  const name = relative(ROOT, script);
  if (BUNDLE === undefined || name.startsWith("..")) return script;
  const bundled = [".cjs", ".js"].map((extension) =>
    join(BUNDLE, name.replace(/\.ts$/, extension))
  );
  return bundled.find(existsSync) ?? script;
}

/** The command that runs a script in the runtime that runs this test. */
export function runtimeCommand(script: string, ...args: string[]): [string, ...string[]] {
  return sourceCommand(programOf(script), ...args);
}

/** The same for a script that has to be run as it is written. */
export function sourceCommand(script: string, ...args: string[]): [string, ...string[]] {
  return [process.execPath, ...(PREFIXES[runtimeInfo().name] ?? []), script, ...args];
}

/** How a child process ended, without how long it took: two that end alike are equal. */
export type ChildResult = Omit<Ending, "milliseconds">;

/** How a child process is started, and what it reads. */
export interface ChildOptions extends CommandOptions {
  /** Variables that differ from this process's; `undefined` takes one away. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
}

/** Variables by which one test's process could disturb another's. */
const DISTURBING =
  /^(LD_PRELOAD|MALLOC_CONF|NODE_OPTIONS|DENO_V8_FLAGS|OFFHEAP_(?!TEST_|MODEL_|ZIG$).*)$/;

/** The environment of a child process. */
export function childEnvironment(
  variables: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  return environmentWithout(DISTURBING, variables);
}

/** Runs a command to its end; kills it when it takes far too long. */
export async function runChild(
  command: readonly [string, ...string[]],
  { variables, ...options }: ChildOptions = {},
): Promise<ChildResult> {
  const { milliseconds: _, ...result } = await runToEnd(command, {
    cwd: ROOT,
    limit: LIMIT_MS,
    input: "",
    ...options,
    env: childEnvironment(variables),
  });
  return result;
}

/** The path of a library that this checkout has built; names of tables are strings. */
export function builtLibrary(name: string, variant = "release"): string {
  return pathOfBuilt(name as LibraryName, variant as Variant);
}

/** The command line of offheap in the runtime that runs this test. */
export function offheapCommand(...args: string[]): [string, ...string[]] {
  return runtimeCommand(CLI, ...args);
}
