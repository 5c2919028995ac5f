/**
 * Which Debian package has which version of an allocator: what our builds are measured beside.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { neutralEnvironment } from "../suite/prepare.ts";
import { debianFile } from "../../scripts/foreign/debian.ts";

/** A build that is measured. */
export interface NamedBuild {
  /** Which allocator. */
  readonly allocator: "jemalloc" | "mimalloc";
  /** Its version, such as `5.3.0`. */
  readonly version: string;
  /** What a table calls it. */
  readonly title: string;
  /** The library. */
  readonly path: string;
  /** The compiler's version line. */
  readonly compiler: string;
}

/** The greatest median ratio of time that counts as no slower: 1.00 and the machine's noise. */
export const RATIO_LIMIT = 1.03;

interface DebianBuild {
  readonly allocator: NamedBuild["allocator"];
  readonly version: string;
  readonly packageName: string;
  readonly file: string;
  readonly suite: string;
}

const BUILDS: readonly DebianBuild[] = [
  {
    allocator: "jemalloc",
    version: "5.3.0",
    packageName: "libjemalloc2",
    file: "libjemalloc.so.2",
    suite: "bookworm",
  },
  {
    allocator: "jemalloc",
    version: "5.3.1",
    packageName: "libjemalloc2",
    file: "libjemalloc.so.2",
    suite: "forky",
  },
  {
    allocator: "mimalloc",
    version: "2.0.9",
    packageName: "libmimalloc2.0",
    file: "libmimalloc.so.2.0",
    suite: "bookworm",
  },
];

/** Debian's build of a version, fetched and unpacked once; or why there is none. */
export function debianBuild(
  allocator: NamedBuild["allocator"],
  version: string,
): { readonly path: string; readonly title: string } | { readonly missing: string } {
  const build = BUILDS.find((row) => row.allocator === allocator && row.version === version);
  if (build === undefined) return { missing: "no suite of Debian is known to have this version" };
  const found = debianFile(build.packageName, build.file, build.suite);
  if ("missing" in found) return found;
  const { path } = found;
  // A suite that is newer than the machine may want a newer glibc.
  const { status, stderr } = spawnSync("true", {
    env: { ...neutralEnvironment(), LD_PRELOAD: path },
    encoding: "utf8",
  });
  if (status !== 0 || stderr !== "") return { missing: stderr.trim() };
  return { path, title: `Debian ${build.suite}` };
}
