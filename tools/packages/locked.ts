/**
 * Tools that `npm ci` does not bring, since few need them: each directory of a `package.json` and a
 * lock file in `scripts/npm/` is installed below `build/` when it is asked for. Bun does so in a fifth of npm's
 * time.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { ownPath } from "../environment.ts";
import { keptDirectory } from "../kept-directory.ts";
import { ROOT } from "../paths.ts";

/** The directories. */
export type LockedName = "load" | "managers" | "next" | "registry" | "tools";

const BUN = join(ROOT, "node_modules", "bun", "bin", "bun.exe");

/** Those of another lock file are kept this long. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Installs what a lock file names, unless that has been done.
 *
 * @returns The directory that has `node_modules`.
 * @throws {Error} when Bun cannot install it.
 */
export function installLocked(name: LockedName): string {
  const source = join(ROOT, "scripts", "npm", name);
  const place = join(ROOT, "build", name);
  const hash = createHash("sha256").update(readFileSync(join(source, "bun.lock")));
  return keptDirectory({ place, kept: KEPT_MS }, hash.digest("hex").slice(0, 16), (directory) => {
    for (const file of ["package.json", "bun.lock"]) {
      copyFileSync(join(source, file), join(directory, file));
    }
    // Bun does not read all of npm's files of settings. Their packages need no install scripts.
    const network = runOnMachine(directory, "npm", "config", "get", "registry", "cafile")
      .split("\n").filter((line) => !line.endsWith("=null")).map((line) => `--${line}`);
    const options = ["--frozen-lockfile", "--ignore-scripts", ...network];
    runOnMachine(directory, BUN, "install", ...options);
  });
}

/**
 * Runs a command with the Node and the settings that npm has on this machine.
 *
 * @returns What it wrote.
 * @throws {Error} with what it wrote to standard error when it fails.
 */
export function runOnMachine(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, PATH: ownPath().join(delimiter) },
  });
  if (status === 0) return stdout.trim();
  throw new Error(`Cannot run ${command} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}
