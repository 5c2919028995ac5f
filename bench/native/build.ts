/**
 * Builds the native benchmark program, `build/bench/churn`, when its sources have changed.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ROOT } from "../../tools/runtimes.ts";

/** The program. */
export const CHURN: string = join(ROOT, "build", "bench", "churn");

const SOURCES = fileURLToPath(new URL(".", import.meta.url));
const FLAGS: readonly string[] = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];

function isCurrent(sources: readonly string[]): boolean {
  if (!existsSync(CHURN)) return false;
  const made = statSync(CHURN).mtimeMs;
  return sources.every((path) => statSync(path).mtimeMs <= made);
}

/**
 * Builds the program if need be, and gives its path.
 *
 * @throws {Error} when there is no C compiler, or it refuses.
 */
export function buildChurn(): string {
  const files = readdirSync(SOURCES).filter((name) => /\.[ch]$/.test(name));
  const sources = files.map((name) => join(SOURCES, name));
  if (isCurrent(sources)) return CHURN;
  mkdirSync(dirname(CHURN), { recursive: true });
  // Whole or not at all: another process may be about to start it.
  const made = `${CHURN}.${process.pid}`;
  const code = sources.filter((path) => path.endsWith(".c"));
  try {
    execFileSync("cc", [...FLAGS, ...code, "-o", made, "-ldl"], {
      stdio: ["ignore", "inherit", "pipe"],
      encoding: "utf8",
    });
  } catch (error) {
    const { stderr = "", message } = error as Error & { readonly stderr?: string };
    throw new Error(`Cannot build the native benchmark with cc: ${stderr.trim() || message}`);
  }
  renameSync(made, CHURN);
  return CHURN;
}
