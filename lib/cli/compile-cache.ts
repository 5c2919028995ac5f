/**
 * Node's compile cache, for what is started often and lives for a moment: `offheap run`.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { hasCompileCache } from "../../ffi/mod.ts";
import { ownCacheDirectory } from "../library/directories.ts";
import { cacheExposure } from "../library/ownership.ts";
import { makeDirectories } from "../system/files.ts";

const PRIVATE_MODE = 0o700;

/**
 * Has Node keep what it compiles of the modules that are loaded from here on, in this user's cache,
 * where libraries come from, too. A runtime without such a cache, a user without a directory for it,
 * and a directory that others may write to do without it: the launch only takes longer.
 */
export function useCompileCache(): void {
  if (!hasCompileCache()) return;
  try {
    const cache = ownCacheDirectory();
    if (cache === null) return;
    const directory = join(cache, "compiled");
    if (cacheExposure(cache, directory) !== null) return;
    makeDirectories(directory, PRIVATE_MODE);
    process.getBuiltinModule("node:module").enableCompileCache(directory);
  } catch {
    // A full disk, a missing right: none of it keeps a program from running.
  }
}
