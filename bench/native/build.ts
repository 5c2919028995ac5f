/**
 * Builds the benchmarks' own C into `build/bench/` when its sources have changed.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ROOT } from "../../tools/paths.ts";

const OUT = join(ROOT, "build", "bench");

/** The program. */
export const CHURN: string = join(OUT, "churn");

const SOURCES = fileURLToPath(new URL(".", import.meta.url));
const LOOPS = fileURLToPath(new URL("../memory/loops.c", import.meta.url));
const FLAGS: readonly string[] = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];

function isCurrent(path: string, sources: readonly string[]): boolean {
  if (!existsSync(path)) return false;
  const made = statSync(path).mtimeMs;
  return sources.every((source) => statSync(source).mtimeMs <= made);
}

/**
 * Builds a file if need be, and gives its path.
 *
 * @throws {Error} when there is no C compiler, or it refuses.
 */
function build(path: string, sources: readonly string[], flags: readonly string[]): string {
  if (isCurrent(path, sources)) return path;
  mkdirSync(dirname(path), { recursive: true });
  // Completely or not at all: another process may be about to use it.
  const made = `${path}.${process.pid}`;
  const code = sources.filter((source) => source.endsWith(".c"));
  try {
    execFileSync("cc", [...FLAGS, ...flags, ...code, "-o", made, "-ldl"], {
      stdio: ["ignore", "inherit", "pipe"],
      encoding: "utf8",
    });
  } catch (error) {
    const { stderr = "", message } = error as Error & { readonly stderr?: string };
    throw new Error(`Cannot build the benchmarks' C with cc: ${stderr.trim() || message}`);
  }
  renameSync(made, path);
  return path;
}

/** Builds the native benchmark program if need be, and gives its path. */
export function buildChurn(): string {
  const files = readdirSync(SOURCES).filter((name) => /\.[ch]$/.test(name));
  return build(CHURN, files.map((name) => join(SOURCES, name)), []);
}

/** Builds the library of loops in C if need be, and gives its path. */
export function buildLoops(): string {
  return build(join(OUT, "loops.so"), [LOOPS], ["-shared", "-fPIC"]);
}
