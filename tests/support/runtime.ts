import { spawn, type SpawnOptions } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeInfo } from "../../ffi/mod.ts";
import { libraryFileName } from "../../lib/library/directories.ts";
import type { LibraryName } from "../../lib/library/manifest.ts";
import { hostTarget } from "../../lib/library/target.ts";

/** This repository's root. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** The fixtures' directory. */
export const FIXTURES: string = join(ROOT, "tests", "fixtures");

/** How long a child process may take before it is killed: far more than any needs. */
const LIMIT_MS = 60_000;

const PREFIXES: Readonly<Record<string, readonly string[]>> = {
  deno: ["run", "--allow-all", "--no-check", "--quiet"],
  bun: [],
  node: ["--no-warnings"],
};

/** The command that runs a script in the runtime that runs this test. */
export function runtimeCommand(script: string, ...args: string[]): [string, ...string[]] {
  return [process.execPath, ...(PREFIXES[runtimeInfo().name] ?? []), script, ...args];
}

/** What became of a child process. */
export interface ChildResult {
  /** Its exit status; `null` after a signal. */
  readonly status: number | null;
  /** The signal that ended it. */
  readonly signal: NodeJS.Signals | null;
  /** What it wrote. */
  readonly stdout: string;
  /** What it complained about. */
  readonly stderr: string;
}

/** How a child process is started, and what it reads. */
export interface ChildOptions extends SpawnOptions {
  /** Variables that differ from this process's; `undefined` takes one away. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** What it reads on stdin. */
  readonly input?: string;
}

/** Variables by which one test's process could disturb another's. */
const NEUTRAL: Readonly<Record<string, undefined>> = {
  LD_PRELOAD: undefined,
  OFFHEAP_ALLOCATOR: undefined,
  OFFHEAP_BACKGROUND: undefined,
  OFFHEAP_LIBRARY: undefined,
  OFFHEAP_REQUIRE: undefined,
  OFFHEAP_RESTORE: undefined,
  OFFHEAP_SET: undefined,
  MALLOC_CONF: undefined,
};

/** The environment of a child process. */
export function childEnvironment(
  variables: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const merged = { ...process.env, ...NEUTRAL, ...variables };
  return Object.fromEntries(
    Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Runs a command to its end; kills it when it takes far too long. */
export function runChild(
  command: readonly [string, ...string[]],
  options: ChildOptions = {},
): Promise<ChildResult> {
  const { variables, input, ...rest } = options;
  const [file, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: ROOT,
      stdio: ["pipe", "pipe", "pipe"],
      ...rest,
      env: childEnvironment(variables),
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => stdout += text);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr += text);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, stdout, stderr });
    });
    // A command that does not read its input closes the pipe: that is its own affair.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}

/** The path of a library that this checkout has built. */
export function builtLibrary(name: string, variant = "release"): string {
  const { name: target, platform } = hostTarget();
  return join(
    ROOT,
    "build",
    "native",
    target,
    variant,
    libraryFileName(name as LibraryName, platform),
  );
}

/** The command line of offheap in the runtime that runs this test. */
export function offheapCommand(...args: string[]): [string, ...string[]] {
  return runtimeCommand(join(ROOT, "lib", "cli.ts"), ...args);
}
