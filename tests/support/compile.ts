import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { FIXTURES } from "../../tools/paths.ts";
import { compileTo } from "./built-once.ts";

const directories: string[] = [];

function removeDirectories(): void {
  for (const directory of directories.splice(0)) {
    try {
      rmSync(directory, { recursive: true, force: true });
    } catch (error) {
      // Windows does not remove a library that is loaded.
      if (process.platform !== "win32") throw error;
    }
  }
}

/** A fresh directory that is removed when the tests of this file have run. */
export function temporaryDirectory(): string {
  if (directories.length === 0) {
    // Deno's test runner ends without the process's exit event, but with the page's.
    Reflect.get(globalThis, "addEventListener")?.("unload", removeDirectories);
    process.once("exit", removeDirectories);
  }
  const directory = mkdtempSync(join(tmpdir(), "offheap-test-"));
  directories.push(directory);
  return directory;
}

let objects: string | undefined;

/**
 * Where a machine without a compiler finds what these functions would have compiled, by the name of
 * the output.
 */
const PREBUILT = process.env.OFFHEAP_TEST_PREBUILT;

function compile(source: string, output: string, flags: readonly string[]): string {
  objects ??= temporaryDirectory();
  const path = join(objects, output);
  const prebuilt = PREBUILT === undefined ? undefined : join(PREBUILT, output);
  if (prebuilt !== undefined && existsSync(prebuilt)) {
    copyFileSync(prebuilt, path);
    return path;
  }
  const isInput = (flag: string): boolean => /\.(c|o)$/.test(flag);
  return compileTo(path, {
    options: ["-O1", "-Wall", "-Werror", ...flags.filter((flag) => /^-[DI]/.test(flag))],
    sources: [join(FIXTURES, source), ...flags.filter(isInput)],
    after: flags.filter((flag) => !isInput(flag)),
  });
}

/** Compiles `tests/fixtures/<source>` to a shared library and gives its path. */
export function compileShared(
  source: string,
  output: string,
  flags: readonly string[] = [],
): string {
  return compile(source, output, ["-shared", "-fPIC", "-fno-builtin", ...flags]);
}

/** Compiles `tests/fixtures/<source>` to a program and gives its path. */
export function compileProgram(
  source: string,
  output: string,
  flags: readonly string[] = [],
): string {
  return compile(source, output, flags);
}
