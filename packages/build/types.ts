/**
 * What the parts of the build share.
 *
 * @module
 */
import type { BuiltAllocator } from "../../lib/allocators/mod.ts";
import type { Target } from "../../lib/library/target.ts";
import type { LibraryManifest, LibraryName, Variant } from "../../lib/library/manifest.ts";
import type { DebianSources } from "./store/debian.ts";
import type { ExportNames } from "./recipe/link.ts";

/** The steps of one library. */
export type BuildStep = "source" | "unpack" | "compile" | "check";

/** How far a build came, for a display. */
export interface BuildProgress {
  /** A step of one library begins, such as `compile`. */
  step(unit: LibraryId, step: BuildStep): void;
  /** One library is ready. */
  done(unit: LibraryId): void;
  /** All libraries of one target and variant are ready, or one failed. */
  ended(unit: Omit<LibraryId, "name">, error?: unknown): void;
  /** Something worth a line of its own, such as the wait for another build. */
  note(text: string): void;
}

/** One library of one build. */
export interface LibraryId {
  /** The library. */
  readonly name: LibraryName;
  /** The target. */
  readonly target: string;
  /** The variant. */
  readonly variant: Variant;
}

/** What to build, and where to. */
export interface BuildOptions {
  /** Which allocator; the shim is built in any case. `all` when absent. */
  readonly allocator?: BuiltAllocator | "all";
  /** The version of jemalloc; when absent, the preferred one that can be had. */
  readonly jemallocVersion?: string;
  /** The version of mimalloc; when absent, the preferred one that can be had. */
  readonly mimallocVersion?: string;
  /** A directory, an archive or a URL to take the allocator's source from. */
  readonly source?: string;
  /**
   * `all`, or a target's name such as `linux-arm64-musl`: built by zig, to run on any machine of
   * that kind. When absent, this machine, by its own compiler.
   */
  readonly target?: string;
  /** When absent, all that a release has for the target. */
  readonly variant?: Variant;
  /** Builds also what is up to date, and asks the network again. */
  readonly force?: boolean;
  /**
   * Where the libraries go, as they are in a package: those of `release` into it, and those of the
   * other variants into `preload` and so on below it. For named targets, as
   * {@linkcode buildsDirectory}.
   */
  readonly outDirectory?: string;
  /** The directory in which each gets its `<target>/<variant>`; `<root>/build/native` when absent. */
  readonly buildsDirectory?: string;
  /** The user's cache, which keeps source archives; found from the environment when absent. */
  readonly cacheDirectory?: string;
  /** A base URL (`https:`, `http:`, `file:`) that takes the place of the upstream servers. */
  readonly upstream?: string;
  /** Whether Debian's source packages may be asked for; `true` when absent. */
  readonly debian?: boolean;
  /** Environment of the tools, `CC` among it; `process.env` when absent. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Ends the build early; what was begun is removed. */
  readonly signal?: AbortSignal;
  /** Called with each step. */
  readonly progress?: BuildProgress;
}

/** What is the same for all libraries of a build. */
export interface BuildContext {
  /** The options. */
  readonly options: BuildOptions;
  /** The environment of the tools. */
  readonly environment: Readonly<Record<string, string>>;
  /** The directory of a checkout or package. */
  readonly root: string;
  /** Called with each step. */
  readonly progress: BuildProgress;
  /** Ends the work. */
  readonly signal?: AbortSignal | undefined;
}

/** One library that is wanted, and the sources that would do. */
export interface LibraryPlan {
  /** How it is built. */
  readonly recipe: Recipe;
  /** The hashes of sources that would do; the preferred one first. */
  readonly identities: readonly string[];
  /** Gets the source. */
  fetch(context: SourceContext): Promise<Source>;
}

/** The libraries of one target and variant. */
export interface VariantPlan {
  /** The libraries. */
  readonly libraries: readonly LibraryPlan[];
  /** Where they go. */
  readonly outDirectory: string;
  /** The variant. */
  readonly variant: Variant;
  /** The target. */
  readonly target: Target;
  /** Whether a library that this compiler made will do. */
  readonly accepts: (compiler: string) => boolean;
  /** Builds also what is up to date. */
  readonly force: boolean;
}

/** What became of one library. */
export interface BuildResult {
  /** The library. */
  readonly name: LibraryName;
  /** What it was built for. */
  readonly target: string;
  /** Its version. */
  readonly version: string;
  /** How it was built. */
  readonly variant: Variant;
  /** The library's file. */
  readonly path: string;
  /** `built` now, or `current`: there was nothing to do. */
  readonly outcome: "built" | "current";
  /** Why this version and this source, in a sentence. */
  readonly reason: string;
  /** The manifest beside the file. */
  readonly manifest: LibraryManifest;
}

/** Where sources may come from. */
export interface SourceContext {
  /** The user's cache. */
  readonly cache: string;
  /** The directory in it that keeps archives. */
  readonly sources: string;
  /** A directory that is removed after the build. */
  readonly temporary: string;
  /** The base URL in place of upstream's; `undefined` for upstream itself. */
  readonly upstream: string | undefined;
  /** Debian's sources, or `null` when they may not be asked. */
  readonly debian: DebianSources | null;
  /** The environment of the tools. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends the work. */
  readonly signal?: AbortSignal | undefined;
}

/** A source that is ready to be unpacked or used. */
export interface Source {
  /** The version it says it is. */
  readonly version: string;
  /** The upstream git commit, where it is known. */
  readonly commit?: string | undefined;
  /** `cache`, `upstream`, `debian`, `option` or `checkout`. */
  readonly origin: string;
  /** The archive's file name, or the directory's name. */
  readonly name: string;
  /** The archive's sha256; `null` for a directory. */
  readonly sha256: string | null;
  /** The archive or directory. */
  readonly path: string;
  /** A hash that changes when the source does. */
  readonly identity: string;
  /** Why this one, in a sentence. */
  readonly reason: string;
}

/** What the tools call a target. */
export interface CrossTarget {
  /** Zig's name; with the oldest glibc whose symbols may be used. */
  readonly zig: string;
  /** The name for configure's `--host`. */
  readonly host: string;
}

/** The compiler and what else the build calls. */
export interface Toolchain {
  /** The C compiler, with arguments where `CC` has some. */
  readonly compiler: readonly string[];
  /** The compiler's own version line. */
  readonly version: string;
  /** What the tools call the target; `null` for a compiler that builds for its own machine. */
  readonly cross: CrossTarget | null;
  /** Variables that the compiler needs. */
  readonly environment: Readonly<Record<string, string>>;
}

/** All that a recipe needs to build one library. */
export interface LibraryBuild {
  /** The variant. */
  readonly variant: Variant;
  /** The target. */
  readonly target: Target;
  /** The compiler. */
  readonly toolchain: Toolchain;
  /** The unpacked source; it may be written to. */
  readonly directory: string;
  /** What the library exports. */
  readonly exports: ExportNames;
  /** A directory that the variants of one target share during a build; `null` without. */
  readonly shared: string | null;
  /** Where the library's file has to be. */
  readonly output: string;
  /** Runs a command in {@linkcode LibraryBuild.directory}; its standard output. */
  run(command: readonly string[], environment?: Readonly<Record<string, string>>): Promise<string>;
}

/** What a recipe made. */
export interface Built {
  /** Properties that callers ask for, such as `guarded`. */
  readonly features: readonly string[];
}

/** How one library is built. */
export interface Recipe {
  /** The library. */
  readonly name: LibraryName;
  /** The files of offheap's own C, beside the source, that go into it. */
  readonly ownFiles?: (target: Target, variant: Variant) => readonly string[];
  /** The symbols that it exports on a target. */
  exports(target: Target, variant: Variant): ExportNames;
  /** Bytes of disk that a build takes, at most. */
  readonly space: number;
  /** Programs beside the compiler, such as `make`. */
  readonly tools: readonly string[];
  /**
   * The flags that the build passes.
   *
   * @param cross Whether the compiler is zig, which some flags and ways are for.
   */
  flags(variant: Variant, target: Target, cross: boolean): string[];
  /**
   * Makes a source that can be built, once for all targets and variants; absent where every source
   * can.
   *
   * @throws {DownloadError} when something that it needs cannot be had.
   */
  readonly prepare?: (source: Source, context: SourceContext) => Promise<Source>;
  /** The version that a source directory says it is. */
  version(directory: string): string;
  /** Makes the library. */
  compile(build: LibraryBuild): Promise<Built>;
}
