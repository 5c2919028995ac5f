/**
 * Debian's builds of the allocators: what ours are measured beside, and what tests are run with.
 *
 * @module
 */
import type { BuiltAllocator } from "../../lib/allocators/mod.ts";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { hostTarget } from "../../lib/library/target.ts";
import { type DebianFile, debianFile } from "./debian.ts";

/** Which package of which suite has an allocator. */
export interface DebianAllocator {
  /** Which allocator. */
  readonly allocator: BuiltAllocator;
  /** The version that the suite has. */
  readonly version: string;
  /** The package. */
  readonly packageName: string;
  /** The end of the library's path in it. */
  readonly file: string;
  /** The release of Debian. */
  readonly suite: string;
}

function jemalloc(version: string, suite: string): DebianAllocator {
  const file = "/libjemalloc.so.2";
  return { allocator: "jemalloc", version, packageName: "libjemalloc2", file, suite };
}

function mimalloc(version: string, suite: string, abi: "2.0" | "3"): DebianAllocator {
  const packageName = `libmimalloc${abi}`;
  return { allocator: "mimalloc", version, packageName, file: `/libmimalloc.so.${abi}`, suite };
}

/** Each version once, oldest first. */
export const DEBIAN_ALLOCATORS: readonly DebianAllocator[] = [
  jemalloc("5.3.0", "bookworm"),
  jemalloc("5.3.1", "forky"),
  mimalloc("2.0.9", "bookworm", "2.0"),
  mimalloc("3.0.1", "trixie", "3"),
  mimalloc("3.6.0", "forky", "3"),
  mimalloc("3.7.0", "trixie-backports", "3"),
];

/** A row of {@link DEBIAN_ALLOCATORS}. */
export function debianAllocator(allocator: BuiltAllocator, suite: string): DebianAllocator {
  const row = DEBIAN_ALLOCATORS.find((one) => one.allocator === allocator && one.suite === suite);
  if (row === undefined) throw new RangeError(`Cannot find ${allocator}: ${suite} has none`);
  return row;
}

/** The library, fetched and unpacked once; or why it cannot be had, or no program starts with it. */
export function debianAllocatorFile(row: DebianAllocator): DebianFile {
  if (hostTarget().libc === "musl") return { missing: "Debian's libraries are made for glibc" };
  const found = debianFile(row.packageName, row.file, row.suite);
  if ("missing" in found) return found;
  // A suite that is newer than the machine may want a newer glibc: the dynamic linker says so.
  const env = { PATH: process.env["PATH"], LD_PRELOAD: found.path };
  const { stderr } = spawnSync("true", { env, encoding: "utf8" });
  return stderr === "" ? found : { missing: stderr.trim() };
}
