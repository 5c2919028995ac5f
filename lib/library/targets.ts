/**
 * The targets that offheap has libraries for. One table: builds, packages and reports go by it.
 *
 * @module
 */
import type { Variant } from "./manifest.ts";
import { type LibcName, type Target, targetName } from "./target.ts";

/** A target that libraries are made for. */
export interface ReleaseTarget extends Target {
  /** The variants that a release has; each is a directory of its own in a build. */
  readonly variants: readonly Variant[];
}

function target(platform: string, arch: string, libc: LibcName | null): ReleaseTarget {
  // Windows cannot preload.
  const variants: readonly Variant[] = platform === "win32" ? ["release"] : ["release", "preload"];
  return { name: targetName(platform, arch, libc), platform, arch, libc, variants };
}

/** The variants that a release has for a target; of one that is not known, those of Unix. */
export function releasedVariants(name: string): readonly Variant[] {
  return TARGETS.find((row) => row.name === name)?.variants ?? ["release", "preload"];
}

/** Every target, by platform. */
export const TARGETS: readonly ReleaseTarget[] = [
  target("linux", "x64", "glibc"),
  target("linux", "arm64", "glibc"),
  target("linux", "x64", "musl"),
  target("linux", "arm64", "musl"),
  target("darwin", "arm64", null),
  target("darwin", "x64", null),
  target("win32", "x64", null),
  target("win32", "arm64", null),
  target("freebsd", "x64", null),
];
