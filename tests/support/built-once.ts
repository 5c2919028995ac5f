/**
 * What tests compile, kept below `build/` by what it is made of: once for all runtimes and all runs
 * until a source, a header, the command or the compiler changes.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { keptDirectory, keptDirectoryAsync, type Store } from "../../tools/kept-directory.ts";
import { ROOT } from "./runtime.ts";

const STORE: Store = {
  place: join(ROOT, "build", "tests", "compiled"),
  kept: 7 * 24 * 60 * 60 * 1000,
};

function keyOf(made: unknown): string {
  return createHash("sha256").update(JSON.stringify(made)).digest("hex").slice(0, 16);
}

/**
 * Gives the directory in which `make` has put its files, now or before.
 *
 * @param made All that the files depend on.
 * @param make Is given an empty directory.
 */
export function builtOnce(made: unknown, make: (directory: string) => void): string {
  return keptDirectory(STORE, keyOf(made), make);
}

/** The same of what takes its time without stopping the process. */
export function builtOnceAsync(
  made: unknown,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  return keptDirectoryAsync(STORE, keyOf(made), make);
}

/** Directories of `temporaryDirectory()`. */
const TEMPORARY = /(?<=")[^"]*offheap-test-\w+/g;

/** How something is compiled. */
export interface Compilation {
  /** The compiler; `cc` unless given. */
  readonly compiler?: string;
  /** Its options before the sources. */
  readonly options?: readonly string[];
  /** The paths of the sources, and of objects and libraries. */
  readonly sources: readonly string[];
  /** Options after the sources: libraries. */
  readonly after?: readonly string[];
}

/**
 * Compiles, and puts a copy of the result at a path: what a test does to it, no other sees.
 *
 * @throws {Error} when the compiler fails.
 */
export function compileTo(path: string, compilation: Compilation): string {
  const { compiler = "cc", options = [], sources, after = [] } = compilation;
  const includes = options.filter((word) => word.startsWith("-I")).map((word) => word.slice(2));
  const inputs = new Map<string, string>();
  for (const source of sources) readInputs(source, includes, inputs);
  // A file in a temporary directory counts by its name and what is in it.
  const made = JSON.stringify([versionOf(compiler), options, sources, after, [...inputs]])
    .replaceAll(TEMPORARY, "");
  const directory = builtOnce(made, (work) => {
    const output = join(work, "output");
    const fixed = sources.map((source) => `-ffile-prefix-map=${dirname(source)}=.`);
    const command = [...options, ...new Set(fixed), ...sources, "-o", output, ...after];
    execFileSync(compiler, command, { stdio: "pipe" });
  });
  // A file that is mapped already must not change: the copy is another file.
  rmSync(path, { force: true });
  copyFileSync(join(directory, "output"), path);
  return path;
}

const versions = new Map<string, string>();

function versionOf(compiler: string): string {
  const known = versions.get(compiler);
  if (known !== undefined) return known;
  // Not "-dumpmachine", which zig refuses with a version of glibc.
  const version = execFileSync(compiler, ["--version"], {
    encoding: "utf8",
  });
  versions.set(compiler, version);
  return version;
}

/** Reads a file and the files of this checkout's that it includes. */
function readInputs(path: string, includes: readonly string[], inputs: Map<string, string>): void {
  if (inputs.has(path)) return;
  const text = readFileSync(path, "latin1");
  inputs.set(path, createHash("sha256").update(text, "latin1").digest("hex"));
  if (!/\.(c|cpp|h)$/.test(path)) return;
  for (const [, name = ""] of text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
    const found = [dirname(path), ...includes].map((place) => resolve(place, name)).find(
      existsSync,
    );
    if (found !== undefined) readInputs(found, includes, inputs);
  }
}
