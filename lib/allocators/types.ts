/**
 * What offheap knows of an allocator: all that differs between them, in one description each. What is
 * not here is the same for all.
 *
 * @module
 */
import type { HeapProfiling } from "./heap-profiling.ts";
import type { AllocatorKind, MemoryCalls } from "./memory.ts";
import type { AllocatorProbe, OpenedLibrary } from "./probe.ts";
import type { AllocatorFigures, StatisticsOpener } from "./statistics.ts";
import type { ProfileEnvironment, ProfileOption, Profiles } from "./profiles.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The value of an allocator's option. */
export type OptionValue = string | number | boolean;

/**
 * Where an allocator comes from:
 * - `build`: a library that offheap builds and brings with it;
 * - `elsewhere`: a library that others build;
 * - `libc`: a C library, after which it is named; nobody asks for it by that name;
 * - `system`: the C library's own, whichever that is.
 */
export type AllocatorSource = "build" | "elsewhere" | "libc" | "system";

/** How an allocator's object file is known. */
export interface Mark {
  /** The object is this allocator when it defines one of these. */
  readonly symbols: readonly string[];
  /** The object's file name must match, too. */
  readonly file?: RegExp;
}

/** How an allocator's options get into the environment of a program. */
export interface Tuning {
  /** What each profile sets. */
  readonly profiles: Profiles;
  /** The options of the `secure` variant beside a profile's. Its guards are built in. */
  readonly secureOptions: readonly ProfileOption[];
  /** Puts options beside what the user has set. */
  merge(
    options: readonly ProfileOption[],
    environment: Environment,
    version: string,
  ): ProfileEnvironment;
  /** The variable in which offheap's options come before the user's; `null` where there is none. */
  readonly joined: { readonly variable: string; readonly separator: string } | null;
  /** The variables of offheap's shim that options are asked for by. */
  readonly shimVariables: readonly string[];
}

/** What a library's file is known by: as {@linkcode ResolvedLibrary}, where it was looked for. */
export interface LibraryFile {
  /** The file's real path; empty for what is part of the C library. */
  readonly path: string;
  /** What its manifest says; `null` when it has none. */
  readonly manifest: {
    readonly variant: string;
    readonly features: readonly string[];
  } | null;
}

/** An allocator as a library. */
export interface AllocatorLibrary {
  /**
   * The names by which distributions install it, by platform, most preferred first. On macOS they are
   * Homebrew's and MacPorts'. Windows has no place for such libraries.
   */
  readonly systemFiles: Readonly<Record<string, readonly string[]>>;
  /** How to get one, as a sentence; `null` for one that offheap builds. */
  readonly installation: string | null;
  /** The version of a library's file, which may not be loadable; `null` when it does not say. */
  readVersion(path: string): string | null;
  /**
   * Whether it knows none of its blocks before its own constructor has run. The one of offheap's shim,
   * which asks it about them before `main`, then has to come after.
   */
  readonly needsConstructor: boolean;
  /**
   * The functions of the C library that it calls while it cannot serve yet, and a preload may have in
   * that one's place. Where such a function asks for memory in turn, both wait for ever.
   */
  readonly callsAtStart: readonly string[];
  /** Loads it, and opens what it answers about itself together with its blocks. */
  open(path: string): OpenedLibrary;
  /** How it is tuned by the environment; `null` when offheap knows no profiles for it. */
  readonly tuning: Tuning | null;
}

/** Opens what memory for JavaScript needs of an allocator. */
export type MemoryOpener = (library: LibraryFile, shim: MemoryCalls) => AllocatorKind;

/** Settings by what they do; one that the allocator does not have is missing. */
export interface AdvisedSettings {
  /** Has threads share few arenas. */
  readonly fewArenas?: string;
  /** Keeps the allocator from transparent huge pages. */
  readonly noHugePages?: string;
}

/** All that offheap knows of one allocator. */
export interface AllocatorDescriptor<
  N extends string = string,
  S extends AllocatorSource = AllocatorSource,
> {
  /** Its name, in options and reports. */
  readonly name: N;
  /** Where it comes from. */
  readonly source: S;
  /** How its object file is known. */
  readonly mark: Mark;
  /**
   * Opens what it answers about itself.
   *
   * @param object Its object file, which is loaded; `null` for the process itself.
   * @param shim The path of offheap's shim; `null` where it is not built.
   */
  openProbe(object: string | null, shim: string | null): AllocatorProbe;
  /**
   * Its options in force, by its own names; `null` when it has none that can be read.
   *
   * @param object Its object file; `null` for the process itself.
   */
  readonly readOptions: ((object: string | null) => Record<string, OptionValue>) | null;
  /** Opens what it counts, and how it gives memory back. */
  readonly openStatistics: StatisticsOpener;
  /**
   * The figures in statistics that a runtime gives of its own instance, in the allocator's format;
   * `null` where no runtime has one.
   */
  readonly figuresOf: ((statistics: unknown) => AllocatorFigures) | null;
  /** Settings that a diagnosis advises, as `NAME=VALUE` of the environment. */
  readonly advised: AdvisedSettings;
  /** How it samples the heap for profiles, or why offheap takes none by it. */
  readonly heapProfiling: HeapProfiling;
  /** As a library; `null` for one that is part of the C library. */
  readonly library: S extends "build" | "elsewhere" ? AllocatorLibrary : null;
  /** Opens what memory for JavaScript needs of it; `null` when offheap hands out no blocks of it. */
  readonly openMemory: MemoryOpener | null;
}
