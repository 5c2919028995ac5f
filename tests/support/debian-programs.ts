/**
 * Programs of Debian's that tests start: the system's own, or unpacked below `build/debian`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { debianRoot } from "../../tools/packages/debian.ts";
import { IS_MUSL } from "./libc.ts";

/** All that is unpacked, fetched together: asking the mirror is what takes time. */
const PACKAGES = ["chromium", "gosu", "bubblewrap"] as const;

const LIMIT_MS = 120_000;

/** Where a program is, and what it needs in its environment. */
export interface DebianProgram {
  readonly path: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** The directories of a tree that hold shared libraries. */
function libraryDirectories(root: string): string[] {
  const files = readdirSync(join(root, "usr", "lib"), { recursive: true }).map(String);
  const libraries = files.filter((file) => /\.so(\.\d+)*$/.test(file));
  return [...new Set(libraries.map((file) => join(root, "usr", "lib", dirname(file))))];
}

/** Where the packages are, and what their programs need; or why they cannot be had. */
let unpacked: { root: string; variables: DebianProgram["variables"] } | string | undefined;

function unpack(): NonNullable<typeof unpacked> {
  try {
    const root = debianRoot(PACKAGES, { dependencies: true });
    return { root, variables: { LD_LIBRARY_PATH: libraryDirectories(root).join(":") } };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Finds a program by its path below the root of a Debian system, such as `usr/bin/bwrap`.
 *
 * @returns Why it cannot be had, where it cannot.
 */
export function debianProgram(file: string): DebianProgram | string {
  if (existsSync(`/${file}`)) return { path: `/${file}`, variables: {} };
  if (process.platform !== "linux" || IS_MUSL) return `Debian's ${file} is made for glibc on Linux`;
  unpacked ??= unpack();
  if (typeof unpacked === "string") return unpacked;
  const path = join(unpacked.root, file);
  return existsSync(path)
    ? { path, variables: unpacked.variables }
    : `Debian's packages ${PACKAGES.join(", ")} have no ${file}`;
}

/**
 * The same for a program that works only where it is installed, as a set-user-ID one,
 * or that belongs to a base system: root installs its package.
 */
export function installedProgram(packageName: string, file: string): DebianProgram | string {
  const found: DebianProgram = { path: `/${file}`, variables: {} };
  if (existsSync(found.path)) return found;
  if (process.getuid?.() !== 0) return `${packageName} is not installed, and this user is not root`;
  try {
    for (
      const words of [["update"], ["install", "--yes", "--no-install-recommends", packageName]]
    ) {
      execFileSync("apt-get", ["--quiet", ...words], {
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
        stdio: ["ignore", "ignore", "pipe"],
        timeout: LIMIT_MS,
      });
    }
    return existsSync(found.path) ? found : `Debian's ${packageName} has no ${found.path}`;
  } catch (error) {
    return `apt-get could not install ${packageName} (${error})`;
  }
}
