/**
 * Programs as a bundler makes them, with packages beside them as npm installs them.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { hostTarget } from "../../lib/library/target.ts";
import { temporaryDirectory } from "./compile.ts";
import { builtLibrary, ROOT } from "./runtime.ts";

/** The bundler is Bun's, which is here anyway. */
const BUN: string = join(ROOT, "node_modules", "bun", "bin", "bun.exe");

/** Puts a program and what it imports, but for npm's packages, into one file. */
export function bundleProgram(from: string, to: string, options: readonly string[]): void {
  const fixed = ["--target=node", "--format=esm", "--packages=external", "--outfile", to];
  execFileSync(BUN, ["build", from, ...fixed, ...options], { stdio: ["ignore", "ignore", "pipe"] });
}

/** A fresh directory in which the platform package, of what this checkout has built, and koffi are. */
export function installedDirectory(): string {
  const directory = temporaryDirectory();
  const modules = join(directory, "node_modules");
  const { name } = hostTarget();
  const platform = join(modules, "@offheap", name);
  mkdirSync(platform, { recursive: true });
  writeFileSync(join(platform, "package.json"), JSON.stringify({ name: `@offheap/${name}` }));
  for (const library of ["jemalloc", "mimalloc", "offheap"]) {
    const path = builtLibrary(library);
    for (const file of [path, `${path}.json`]) cpSync(file, join(platform, basename(file)));
  }
  const preload = dirname(builtLibrary("jemalloc", "preload"));
  cpSync(preload, join(platform, "preload"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", "koffi"), join(modules, "koffi"));
  return directory;
}
