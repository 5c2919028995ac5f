/**
 * The builds of Debian that ours are measured beside: of the same version.
 *
 * @module
 */
import type { BuiltAllocator } from "../../lib/allocators/mod.ts";
import { DEBIAN_ALLOCATORS, debianAllocatorFile } from "../../tools/packages/debian-allocators.ts";

/** A build that is measured. */
export interface NamedBuild {
  /** Which allocator. */
  readonly allocator: BuiltAllocator;
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

/** Debian's build of a version, fetched and unpacked once; or why it is missing. */
export function debianBuild(
  allocator: NamedBuild["allocator"],
  version: string,
): { readonly path: string; readonly title: string } | { readonly missing: string } {
  const build = DEBIAN_ALLOCATORS.find((row) =>
    row.allocator === allocator && row.version === version
  );
  if (build === undefined) return { missing: "no suite of Debian is known to have this version" };
  const found = debianAllocatorFile(build);
  if ("missing" in found) return found;
  return { path: found.path, title: `Debian ${build.suite}` };
}
