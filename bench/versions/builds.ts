/**
 * The builds of allocators that are judged: where each comes from, and of which version it is.
 *
 * @module
 */
import { allocatorNamed, BUILT_ALLOCATORS, type BuiltAllocator } from "../../lib/allocators/mod.ts";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { readElfExports } from "../../lib/binary/elf.ts";
import { BuildError, OffheapError } from "../../lib/errors.ts";
import { launchPlatform } from "../../lib/run/platforms.ts";
import { libraryVersion } from "../../lib/library/version.ts";
import { prepareVariant } from "../../lib/watch/compare/variants.ts";
import { DEBIAN_ALLOCATORS, debianAllocatorFile } from "../../tools/packages/debian-allocators.ts";
import { buildNative, type BuildOptions } from "../../packages/build/mod.ts";
import { ALLOCATOR_RECIPES } from "../../packages/build/plan/libraries.ts";
import { pinnedVersions } from "../../packages/build/plan/pins.ts";
import { neutralEnvironment, packageVersion } from "../suite/prepare.ts";
import type { MissingSubject } from "../suite/results.ts";

/** One build of an allocator. */
export interface VersionBuild {
  /** The subject's id, such as `mimalloc-2.4.1`. */
  readonly id: string;
  readonly title: string;
  readonly allocator: BuiltAllocator;
  readonly version: string;
  /** Where it comes from, in words that hold on other machines. */
  readonly from: string;
  /** The library's file. */
  readonly file: string;
}

/** A build, or why it is missing. */
export type BuildOutcome = VersionBuild | MissingSubject;

/** Which allocator a library is, by what it exports. */
function allocatorOf(file: string): BuiltAllocator {
  const exported = new Set(readElfExports(file).map(({ name }) => name));
  const symbolsOf = (name: BuiltAllocator): readonly string[] => allocatorNamed(name).mark.symbols;
  const found = BUILT_ALLOCATORS.find((name) => symbolsOf(name).some((one) => exported.has(one)));
  if (found !== undefined) return found;
  const symbols = BUILT_ALLOCATORS.flatMap(symbolsOf).join(" or ");
  throw new RangeError(`Cannot judge ${file}: it must export ${symbols}`);
}

/** Which allocator a directory has the source of. */
function allocatorOfSource(directory: string): BuiltAllocator {
  const problems: string[] = [];
  for (const name of BUILT_ALLOCATORS) {
    try {
      ALLOCATOR_RECIPES[name].version(directory);
      return name;
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      problems.push(error.message);
    }
  }
  throw new BuildError(problems.join("\n"));
}

function buildOfOthers(file: string, from: string, known?: string): VersionBuild {
  const allocator = allocatorOf(file);
  const path = resolve(file);
  const version = libraryVersion({
    name: allocator,
    path,
    origin: "option",
    sha256: "",
    manifest: null,
    attempts: [],
  }) ?? known;
  if (version === undefined) {
    throw new RangeError(`Cannot judge ${file}: it does not report its version`);
  }
  const title = `${allocator} ${version}, ${from}`;
  return { id: idOf(title), title, allocator, version, from, file: path };
}

function idOf(title: string): string {
  return title.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^-|-$/g, "");
}

/** A library that is there. */
export function fromLibrary(file: string): VersionBuild {
  if (!existsSync(file)) throw new RangeError(`Cannot judge ${file}: it does not exist`);
  return buildOfOthers(file, basename(file));
}

/** Debian's builds, fetched and unpacked below `build/debian`; those that cannot be had are missing. */
export function fromDebian(): BuildOutcome[] {
  return DEBIAN_ALLOCATORS.map((row) => {
    const { packageName, suite } = row;
    const title = `Debian’s ${packageName} of ${suite}`;
    const found = debianAllocatorFile(row);
    if ("missing" in found) return { id: idOf(title), title, reason: found.missing };
    const packaged = packageVersion(packageName, found.path);
    return buildOfOthers(found.path, `Debian’s, ${suite}`, packaged.replace(/-[^-]*$/, ""));
  });
}

/** What is started under a build to see whether anything can be. */
const NOTHING = ["true"] as const;

/** A build, or why no program starts under it here: it may be made for a newer C library. */
export function startable(build: VersionBuild): BuildOutcome {
  const { id, title, allocator, file } = build;
  const why = (said: string): MissingSubject => ({
    id,
    title,
    reason: `no program starts under it: ${said.replaceAll(file, basename(file))}`,
  });
  try {
    const variant = { name: id, allocator, library: file };
    const { environment } = prepareVariant(variant, NOTHING, neutralEnvironment());
    const { status, stderr } = spawnSync(NOTHING[0], { encoding: "utf8", env: environment });
    return status === 0 ? build : why(stderr.trim().split("\n").at(-1) ?? "");
  } catch (error) {
    if (!(error instanceof OffheapError)) throw error;
    return why(error.message.split("\n")[0] ?? "");
  }
}

/** Builds for preloading, as `offheap run` would take it, into a directory of its own. */
async function built(
  place: string,
  allocator: BuiltAllocator,
  from: string,
  options: BuildOptions,
): Promise<VersionBuild> {
  const variant = launchPlatform().variant;
  mkdirSync(place, { recursive: true });
  const results = await buildNative({ ...options, allocator, variant, outDirectory: place });
  const result = results.find(({ name }) => name === allocator);
  if (result === undefined) throw new BuildError(`Cannot judge ${allocator}: nothing was built`);
  const { version, path } = result;
  const title = `${allocator} ${version}`;
  return { id: idOf(title), title, allocator, version, from, file: path };
}

/**
 * Builds from a directory.
 *
 * @param place Where builds are kept; one that is up to date is not built again.
 */
export async function fromSource(directory: string, place: string): Promise<VersionBuild> {
  const source = resolve(directory);
  const allocator = allocatorOfSource(source);
  const name = basename(source);
  return await built(join(place, name), allocator, `source ${name}`, { source });
}

/** Builds every pinned version that is not there yet; what cannot be fetched is missing. */
export async function fromPins(
  there: readonly VersionBuild[],
  place: string,
  say: (line: string) => void,
): Promise<BuildOutcome[]> {
  const outcomes: BuildOutcome[] = [];
  for (const allocator of BUILT_ALLOCATORS) {
    for (const version of pinnedVersions(allocator)) {
      const title = `${allocator} ${version}`;
      if (there.some((one) => one.title === title)) continue;
      say(`${title} from its pinned source`);
      const options: BuildOptions = { [`${allocator}Version`]: version };
      try {
        const own = join(place, `${allocator}-${version}-pinned`);
        outcomes.push(await built(own, allocator, "pinned source", options));
      } catch (error) {
        if (!(error instanceof BuildError)) throw error;
        outcomes.push({ id: idOf(title), title, reason: error.message.split("\n")[0] ?? "" });
      }
    }
  }
  return outcomes;
}
