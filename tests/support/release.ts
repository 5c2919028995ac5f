/**
 * A copy of this checkout as a release would be: a platform package beside it, and the hashes of
 * what is in that package in its code.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { librariesOf, type Variant } from "../../lib/library/manifest.ts";
import type { ReleaseHashes } from "../../lib/library/release-hashes.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { TARGETS } from "../../lib/library/targets.ts";
import type * as Offheap from "../../mod.ts";
import { releaseHashes, writeReleaseHashes } from "../../scripts/npm/release-hashes.ts";
import { copyCheckout } from "./checkout.ts";
import { builtLibrary, type ChildResult, ROOT, runChild, runtimeCommand } from "./runtime.ts";

const TARGET = hostTarget().name;

/** The platform package of this machine. */
export const PACKAGE = `@offheap/${TARGET}`;

/** The name of a library's file, as it is on this system. */
export function fileOf(name: string): string {
  return `lib${name}.so`;
}

/** The hashes of what this checkout has built for this machine. */
export function ownHashes(): ReleaseHashes {
  return releaseHashes(ROOT, TARGETS.filter(({ name }) => name === TARGET));
}

/** Copies a variant's libraries and their manifests into a directory; gives its real path. */
export function fill(directory: string, variant: Variant = "release"): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of librariesOf(variant)) {
    for (const suffix of ["", ".json"]) {
      copyFileSync(
        `${builtLibrary(name, variant)}${suffix}`,
        join(directory, `${fileOf(name)}${suffix}`),
      );
    }
  }
  return realpathSync(directory);
}

/** Turns one bit of the byte at a place over; once more, and the file is as it was. */
export function flip(path: string, position: number): void {
  const bytes = readFileSync(path);
  assert.ok(position < bytes.length);
  bytes[position] = (bytes[position] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** How a copy comes to its libraries, and what its code knows of them. */
export interface ReleaseOptions {
  /** Whether there is a platform package. */
  readonly packaged?: boolean;
  /** Whether the cache is filled. */
  readonly cached?: boolean;
  /** The hashes in the code; none unless given, as in a checkout. */
  readonly hashes?: ReleaseHashes;
}

/** A copy, and ways to use it. */
export interface Release {
  /** Its root. */
  readonly root: string;
  /** The directory of the platform package. */
  readonly packageDirectory: string;
  /** The user's cache for offheap. */
  readonly cache: string;
  /** The directory of the cache that has the libraries. */
  readonly cacheDirectory: string;
  /** Uses its exports in this process, with its cache and no other. */
  use<R>(use: (offheap: typeof Offheap) => R): Promise<R>;
  /** Runs its command line in a process of its own. */
  offheap(...args: string[]): Promise<ChildResult>;
}

const VARIABLES = ["OFFHEAP_LIBRARY", "OFFHEAP_ALLOCATOR", "XDG_CACHE_HOME"] as const;

/** Makes a copy. Packages are there before anything is imported: Bun remembers which there are. */
export function makeRelease(options: ReleaseOptions): Release {
  const root = realpathSync(copyCheckout());
  const modules = join(root, "node_modules");
  mkdirSync(modules);
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (name !== "@offheap") symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  const packageDirectory = join(modules, PACKAGE);
  const cacheHome = join(root, "cache");
  const cache = join(cacheHome, "offheap");
  const cacheDirectory = join(cache, "native", TARGET, "release");
  if (options.packaged === true) {
    fill(packageDirectory);
    fill(join(packageDirectory, "preload"), "preload");
    writeFileSync(join(packageDirectory, "package.json"), JSON.stringify({ name: PACKAGE }));
  }
  if (options.cached === true) {
    fill(cacheDirectory);
    fill(join(cacheDirectory, "..", "preload"), "preload");
  }
  writeReleaseHashes(root, options.hashes ?? {});
  const variables = { XDG_CACHE_HOME: cacheHome };
  return {
    root,
    packageDirectory,
    cache,
    cacheDirectory,
    async use(use) {
      const module: typeof Offheap = await import(pathToFileURL(join(root, "mod.ts")).href);
      const before = VARIABLES.map((name) => [name, process.env[name]] as const);
      for (const name of VARIABLES) delete process.env[name];
      Object.assign(process.env, variables);
      try {
        return use(module);
      } finally {
        for (const [name, value] of before) {
          if (value === undefined) delete process.env[name];
          else process.env[name] = value;
        }
      }
    },
    offheap: (...args) =>
      runChild(runtimeCommand(join(root, "lib", "cli.ts"), ...args), { variables }),
  };
}
