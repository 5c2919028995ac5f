import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** A fresh directory that is removed when the process ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "offheap-test-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

let objects: string | undefined;

function compile(source: string, output: string, flags: readonly string[]): string {
  objects ??= temporaryDirectory();
  const path = join(objects, output);
  execFileSync("cc", ["-O1", "-Wall", "-Werror", join(FIXTURES, source), "-o", path, ...flags]);
  return path;
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
