/**
 * The subjects: allocators in their set-ups, each a variant of the engine of `offheap compare`.
 *
 * @module
 */
import type { BuiltAllocator, KnownAllocator } from "../../lib/allocators/mod.ts";
import type { LaunchOptions } from "../../lib/run/plan.ts";

/** Options of `offheap run`: a user's way. */
export interface Launched {
  readonly by: "launcher";
  readonly options: LaunchOptions;
  /** Of a library that the options name and that may have no manifest: what it is. */
  readonly library?: { readonly version: string; readonly build: string };
}

/** A build of ours without any option, preloaded without `offheap run`: the allocator's own defaults. */
export interface Defaults {
  readonly by: "preload";
  readonly library: BuiltAllocator;
}

/** A library of a Debian package, preloaded without `offheap run`. */
export interface Debian {
  readonly by: "debian";
  readonly packageName: string;
  readonly file: string;
}

/** The system's allocator with variables of its own. */
export interface Tuned {
  readonly by: "variables";
  readonly variables: Readonly<Record<string, string>>;
}

/** One row of {@linkcode SUBJECTS}. */
export interface SubjectSpec {
  readonly id: string;
  readonly title: string;
  /** What must serve `malloc`, by the name that verification gives. */
  readonly allocator: KnownAllocator;
  readonly start: Launched | Defaults | Debian | Tuned;
  /** The same allocator as others build it: the subject must not be slower. */
  readonly against?: string;
}

function launched(
  id: string,
  allocator: "system" | BuiltAllocator,
  title: string,
  options: LaunchOptions = {},
): SubjectSpec {
  return {
    id,
    title,
    allocator: allocator === "system" ? "glibc" : allocator,
    start: { by: "launcher", options: { allocator, ...options } },
  };
}

/** The subject that all others are compared with. */
export const BASELINE = "system";

/** The baseline once more: its ratios to the baseline are the machine's noise. */
export const NOISE = "system-again";

/** Every subject, the baseline first. */
export const SUBJECTS: readonly SubjectSpec[] = [
  launched(BASELINE, "system", "system (glibc)"),
  launched(NOISE, "system", "system again"),
  launched("jemalloc-balanced", "jemalloc", "jemalloc, balanced", { profile: "balanced" }),
  launched("jemalloc-throughput", "jemalloc", "jemalloc, throughput", { profile: "throughput" }),
  launched("jemalloc-low-memory", "jemalloc", "jemalloc, low-memory", { profile: "low-memory" }),
  launched("mimalloc-balanced", "mimalloc", "mimalloc, balanced", { profile: "balanced" }),
  launched("mimalloc-throughput", "mimalloc", "mimalloc, throughput", { profile: "throughput" }),
  launched("mimalloc-low-memory", "mimalloc", "mimalloc, low-memory", { profile: "low-memory" }),
  launched("mimalloc-secure", "mimalloc", "mimalloc, secure", { secure: true }),
  {
    id: "jemalloc-defaults",
    title: "jemalloc, no profile",
    allocator: "jemalloc",
    start: { by: "preload", library: "jemalloc" },
    against: "debian-jemalloc",
  },
  {
    id: "debian-jemalloc",
    title: "Debian's jemalloc",
    allocator: "jemalloc",
    start: { by: "debian", packageName: "libjemalloc2", file: "libjemalloc.so.2" },
  },
  {
    id: "mimalloc-defaults",
    title: "mimalloc, no profile",
    allocator: "mimalloc",
    start: { by: "preload", library: "mimalloc" },
    against: "debian-mimalloc",
  },
  {
    id: "debian-mimalloc",
    title: "Debian's mimalloc",
    allocator: "mimalloc",
    start: { by: "debian", packageName: "libmimalloc2.0", file: "libmimalloc.so.2.0" },
  },
  {
    id: "debian-tcmalloc",
    title: "Debian's tcmalloc",
    allocator: "tcmalloc",
    start: { by: "debian", packageName: "libtcmalloc-minimal4", file: "libtcmalloc_minimal.so.4" },
  },
  {
    id: "glibc-two-arenas",
    title: "glibc, two arenas",
    allocator: "glibc",
    start: { by: "variables", variables: { MALLOC_ARENA_MAX: "2" } },
  },
];
