/**
 * What the parts of the build share.
 *
 * @module
 */
import type { Target } from "../../lib/library/target.ts";
import type { LibraryManifest, LibraryName, Variant } from "../../lib/library/manifest.ts";
import type { AllocatorName } from "./pins.ts";

/** The steps of one library. */
export type BuildStep = "source" | "unpack" | "compile" | "check";

/** How far a build came, for a display. */
export interface BuildProgress {
  /** A step of one library begins, such as `compile`. */
  step(library: LibraryName, step: BuildStep): void;
  /** One library is ready. */
  done(result: BuildResult): void;
  /** Something worth a line of its own, such as the wait for another build. */
  note(text: string): void;
}

/** What to build, and where to. */
export interface BuildOptions {
  /** Which allocator; the shim is built in any case. `all` when absent. */
  readonly allocator?: AllocatorName | "all";
  /** The version of mimalloc; when absent, the preferred one that can be had. */
  readonly mimallocVersion?: string;
  /** A directory, an archive or a URL to take the allocator's source from. */
  readonly source?: string;
  /** `release` when absent. */
  readonly variant?: Variant;
  /** Builds also what is up to date, and asks the network again. */
  readonly force?: boolean;
  /** Where the libraries go; `<root>/build/native/<target>/<variant>` when absent. */
  readonly outDirectory?: string;
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
  /** Told of the steps. */
  readonly progress?: BuildProgress;
}

/** What became of one library. */
export interface BuildResult {
  /** The library. */
  readonly name: LibraryName;
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

/** A source that is ready to be unpacked or used. */
export interface Source {
  /** The version it says it is. */
  readonly version: string;
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

/** The compiler and what else the build calls. */
export interface Toolchain {
  /** The C compiler, with arguments where `CC` has some. */
  readonly compiler: readonly string[];
  /** The compiler's own version line. */
  readonly version: string;
}

/** All that a recipe needs to build one library. */
export interface Job {
  /** The variant. */
  readonly variant: Variant;
  /** The target. */
  readonly target: Target;
  /** The compiler. */
  readonly toolchain: Toolchain;
  /** The unpacked source; it may be written to. */
  readonly directory: string;
  /** The path of the linker's version script. */
  readonly versionScript: string;
  /** Where the library's file has to be. */
  readonly output: string;
  /** Runs a command in {@linkcode Job.directory}; its standard output. */
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
  /** Symbols that it must export. */
  readonly required: readonly string[];
  /** Symbols that it may export besides. */
  readonly optional: readonly string[];
  /** Bytes of disk that a build takes, at most. */
  readonly space: number;
  /** Programs beside the compiler, such as `make`. */
  readonly tools: readonly string[];
  /** The flags that the build passes. */
  flags(variant: Variant, target: Target): string[];
  /** The version that a source directory says it is. */
  version(directory: string): string;
  /** Builds. */
  build(job: Job): Promise<Built>;
}
