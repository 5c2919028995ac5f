/**
 * Tools that `npm ci` does not bring, since few need them: each directory of a `package.json` and a
 * lock file here is installed below `build/` when it is asked for.
 *
 * @module
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../tools/runtimes.ts";
import { machineNpm } from "./process.ts";

/** The directories. */
export type LockedName = "load" | "managers" | "next" | "registry" | "tools";

/**
 * Installs what a lock file names, unless that has been done.
 *
 * @returns The directory that has `node_modules`.
 * @throws {Error} when npm cannot install it.
 */
export function installLocked(name: LockedName): string {
  const source = join(ROOT, "scripts", "npm", name);
  const directory = join(ROOT, "build", name);
  const done = join(directory, ".installed");
  const wanted = readFileSync(join(source, "package-lock.json"), "utf8");
  if (existsSync(done) && readFileSync(done, "utf8") === wanted) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const file of ["package.json", "package-lock.json"]) {
    copyFileSync(join(source, file), join(directory, file));
  }
  // Their packages need no install scripts.
  machineNpm(directory, "ci", "--ignore-scripts", "--no-audit", "--no-fund");
  writeFileSync(done, wanted);
  return directory;
}
