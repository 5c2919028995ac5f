/**
 * What a launch sets for heap profiles that name lines of JavaScript: the allocator's sampling, the
 * shim's unwinder (see `ffi/native/profile/profiling.h`), and the runtimes' maps of the code that they
 * make.
 *
 * @module
 */
import { constants } from "node:fs";
import { inspect } from "node:util";
import { ffi } from "../../ffi/mod.ts";
import { CODE_MAP_DIRECTORY, RUNTIME_PROGRAMS } from "../../ffi/programs.ts";
import { ACCESS_SYMBOLS, libcLibrary } from "../../ffi/symbols/libc.ts";
import { type AllocatorName, allocatorNamed, ALLOCATORS } from "../allocators/mod.ts";
import type { HeapSampling } from "../allocators/heap-profiling.ts";
import type { ProfileOption } from "../allocators/profiles.ts";
import { isSampleInterval } from "../allocators/sampling.ts";
import { compareVersions } from "../allocators/version-order.ts";
import { BUILD_COMMAND } from "../build-command.ts";
import { LaunchError } from "../errors.ts";
import type { ResolvedLibrary } from "../library/resolve.ts";
import type { Target } from "../library/target.ts";
import { libraryVersion } from "../library/version.ts";
import { readBytes } from "./agent.ts";

/** The shim's variable that has a process take call stacks by offheap's unwinder. */
export const HEAP_PROFILING_VARIABLE = "OFFHEAP_HEAP_PROFILING";

/** Whether, and how, a launched program's heap is sampled. */
export interface HeapProfilingOptions {
  /**
   * Prepare samples of the heap, one for each so many bytes on average: a power of two, and 524,288
   * (512 KiB) where it is `true`. Linux with glibc, x64 and arm64, under jemalloc.
   */
  readonly heapProfiling?: boolean | number | undefined;
  /** Take samples from the start; else once `offheap heap` or `heapProfile.start()` asks for it. */
  readonly active?: boolean | undefined;
}

/** The names of {@linkcode HeapProfilingOptions}. */
export const HEAP_PROFILING_OPTION_NAMES = ["heapProfiling", "active"] as const;

const DEFAULT_INTERVAL = 512 * 1024;

/** How an interval has to be. */
export const INTERVAL_RULE = "a power of two from 1KiB to 1GiB, such as 512KiB";

const PROCESSORS: readonly string[] = ["x64", "arm64"];

/** A runtime that can name the machine code that it makes, by flags in a variable. */
const NAMING = RUNTIME_PROGRAMS.flatMap(({ codeNames }) => codeNames ?? []);

/** An interval such as `512KiB`, in bytes; `null` for any other text. */
export function readInterval(text: string): number | null {
  const bytes = readBytes(text);
  return bytes !== null && isSampleInterval(bytes) ? bytes : null;
}

function refuse(why: string): never {
  throw new LaunchError(`Cannot plan a launch: heapProfiling (--heap-profiling) ${why}.`);
}

/** How the allocator samples, for an interval in bytes; `null` where no profile was asked for. */
interface Sampling extends HeapSampling {
  readonly interval: number;
}

/**
 * Refuses what cannot be, before anything is looked for.
 *
 * @throws {TypeError | RangeError} when an option is malformed.
 * @throws {LaunchError} when the system or the allocator cannot do it.
 */
export function checkHeapProfiling(
  { heapProfiling = false, active }: HeapProfilingOptions,
  allocator: AllocatorName,
  { platform, libc, arch }: Target,
): Sampling | null {
  if (heapProfiling === false) {
    if (active === undefined) return null;
    throw new LaunchError(
      "Cannot plan a launch: active (--active) is for heapProfiling (--heap-profiling), which is " +
        "left out. Leave out both, or neither.",
    );
  }
  const interval = heapProfiling === true ? DEFAULT_INTERVAL : heapProfiling;
  if (typeof interval !== "number" || !isSampleInterval(interval)) {
    const Kind = typeof interval === "number" ? RangeError : TypeError;
    throw new Kind(
      `Cannot plan a launch: heapProfiling must be true, or a number of bytes that is ` +
        `${INTERVAL_RULE}; got ${inspect(interval)}`,
    );
  }
  if (platform !== "linux" || libc !== "glibc" || !PROCESSORS.includes(arch)) {
    const here = [platform, arch, libc].filter((part) => part !== null).join(", ");
    refuse(
      "reads call stacks through JavaScript on Linux with glibc alone, x64 and arm64; this is " +
        `${here}. Leave it out, or run the program in a container of Debian, for example`,
    );
  }
  const { heapProfiling: how, library } = allocatorNamed(allocator);
  if (!("refusal" in how)) return { ...how, interval };
  const called = library === null ? "the system's allocator" : allocator;
  const able = ALLOCATORS.filter((each) => !("refusal" in each.heapProfiling))
    .map(({ name }) => name).join(" or ");
  return refuse(`is not for ${called}: ${how.refusal}. Take ${able} for the profile`);
}

/**
 * Refuses a library that is known not to sample; of one without a manifest, the shim finds out.
 *
 * @throws {LaunchError} when it is one.
 */
export function requireSampling({ feature, since }: HeapSampling, library: ResolvedLibrary): void {
  const version = libraryVersion(library);
  const instead = `Take the one that comes with offheap, or that "${BUILD_COMMAND}" makes`;
  if (library.manifest !== null && !library.manifest.features.includes(feature)) {
    refuse(`cannot be under "${library.path}", which was built without profiling. ${instead}`);
  }
  if (version !== null && compareVersions(version, since) < 0) {
    refuse(`needs version ${since}; "${library.path}" is ${version}. ${instead}`);
  }
}

/** The allocator's options for it. */
export function samplingOptions(
  sampling: Sampling | null,
  active = false,
): readonly ProfileOption[] {
  return sampling === null ? [] : sampling.options(sampling.interval, active);
}

type Variables = Readonly<Record<string, string>>;

/** What a launch with heap profiles sets beside the allocator's options. */
export interface ProfilingSettings {
  /** What the shim's variable says after who is meant. */
  readonly shim: string;
  /** The variables of the runtimes, with the user's own flags after ours. */
  readonly flags: Variables;
}

/** What the shim and the runtimes get; `null` where no profile was asked for. */
export function profilingSettings(
  sampling: Sampling | null,
  before: Variables,
): ProfilingSettings | null {
  if (sampling === null) return null;
  const asked = NAMING.some(({ variable, map }) => before[variable]?.includes(map) === true);
  const flags = NAMING.map(({ variable, separator, flags }) => {
    const users = before[variable] ?? "";
    const own = flags.join(separator);
    return [variable, users === "" ? own : `${own}${separator}${users}`] as const;
  });
  // A map that the user has asked for is the user's to remove.
  return { shim: asked ? "" : "map", flags: Object.fromEntries(flags) };
}

/**
 * Refuses to have Node and Deno write a map where they cannot: V8 aborts at its start then.
 *
 * @throws {LaunchError} when this user may not write there.
 */
export function requireMapDirectory(profiling: ProfilingSettings | null): void {
  if (profiling === null) return;
  const { calls } = ffi().open(libcLibrary(), ACCESS_SYMBOLS);
  if (calls.access(CODE_MAP_DIRECTORY, constants.W_OK | constants.X_OK) === 0) return;
  refuse(
    `has Node and Deno write the names of their code into ${CODE_MAP_DIRECTORY}, where this user ` +
      "may not write, and they would be aborted. Give the program one that is writable, such as " +
      "a tmpfs of its container",
  );
}

/** What parts offheap's flags from the user's in a runtime's variable; `null` for other variables. */
export function flagSeparator(name: string): string | null {
  return NAMING.find(({ variable }) => variable === name)?.separator ?? null;
}
