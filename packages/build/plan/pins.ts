/**
 * The pinned sources, from `sources.json`.
 *
 * @module
 */
import type { BuiltAllocator } from "../../../lib/allocators/mod.ts";
import { BuildError } from "../../../lib/errors.ts";
import data from "./sources.json" with { type: "json" };

/** An archive of the project's own. */
export interface UpstreamArchive {
  /** Where it is. */
  readonly url: string;
  /** Its name in the cache. */
  readonly file: string;
  /** Its sha256, in hexadecimal. */
  readonly sha256: string;
}

/** An archive of Debian's source package. */
export interface DebianArchive {
  /** The source package. */
  readonly package: string;
  /** The suite that has it, where an older machine's own has not; `undefined` for its own. */
  readonly suite?: string;
  /** The archive's name, there and in the cache. */
  readonly file: string;
  /** Its sha256, in hexadecimal. */
  readonly sha256: string;
}

/** One pinned version: at least one of the archives is there. */
export interface Pin {
  /** The allocator. */
  readonly allocator: BuiltAllocator;
  /** The upstream version. */
  readonly version: string;
  /** The upstream git commit, where it is known. */
  readonly commit?: string;
  /** The upstream archive. */
  readonly upstream?: UpstreamArchive;
  /** Debian's archive. */
  readonly debian?: DebianArchive;
}

interface PinnedVersions {
  readonly preferred: readonly string[];
  readonly versions: Readonly<Record<string, Omit<Pin, "allocator" | "version">>>;
}

const SOURCES: Readonly<Record<BuiltAllocator, PinnedVersions>> = data;

/** The versions of an allocator that are pinned, oldest first. */
export function pinnedVersions(allocator: BuiltAllocator): string[] {
  return Object.keys(SOURCES[allocator].versions);
}

/**
 * The pins to try, in order of preference: all preferred ones, or the version asked for.
 *
 * @throws {BuildError} when the version is not pinned; the message lists those that are.
 */
export function pinsFor(allocator: BuiltAllocator, version: string | undefined): Pin[] {
  const { preferred, versions } = SOURCES[allocator];
  return (version === undefined ? preferred : [version]).map((wanted) => {
    const pin = Object.hasOwn(versions, wanted) ? versions[wanted] : undefined;
    if (pin === undefined) {
      throw new BuildError(
        `Cannot build ${allocator} ${wanted}: the pinned versions are ` +
          `${
            pinnedVersions(allocator).join(", ")
          }. For another one, pass its source with --source.`,
      );
    }
    return { allocator, version: wanted, ...pin };
  });
}
