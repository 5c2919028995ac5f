/**
 * The main package's code by dnt, which is on JSR only and runs in Deno only: in a process of its
 * own, whatever runtime builds.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findRuntimes, ROOT, RUNTIMES } from "../../tools/runtimes.ts";
import { listFiles } from "./files.ts";
import { ENTRIES } from "./tsc.ts";
import type { BuilderInput } from "./types.ts";

/**
 * The pinned dnt. 0.42.3 rewrites `import.meta` and `new.target` for a polyfill that it does not
 * bring along: what it makes throws at its first call.
 */
const DNT = "jsr:@deno/dnt@0.43.2";

/** No lock file: dnt is no dependency of this checkout, and `deno.lock` would make it one. */
const DENO: readonly string[] = ["run", "-A", "--quiet", "--no-lock"];

/** The program that Deno runs. */
const RUN_DNT = fileURLToPath(new URL("run-dnt.ts", import.meta.url));

/** The options of dnt's `build` that are used, by its own names. */
export interface DntOptions {
  /** The modules to begin with; each becomes a file, the first one the package's main module. */
  readonly entryPoints: readonly { readonly name: string; readonly path: string }[];
  /** The package's directory. */
  readonly outDir: string;
  /** No global is replaced. */
  readonly shims: Readonly<Record<string, never>>;
  /** An import map: which npm package a bare name is. */
  readonly importMap: string;
  /** No tests are run. */
  readonly test: false;
  /** The sources have been checked; this checkout's packages are found from the directory. */
  readonly typeCheck: false;
  /** Nothing is installed for the same reason. */
  readonly skipNpmInstall: true;
  /** No CommonJS. */
  readonly scriptModule: false;
  /** Types lie in `types/`. */
  readonly declaration: "separate";
  /** No maps of declarations. */
  readonly declarationMap: false;
  /** How it is compiled; for the latest target there are no polyfills. */
  readonly compilerOptions: {
    readonly target: "Latest";
    readonly lib: readonly ["ESNext"];
    readonly sourceMap: true;
    readonly skipLibCheck: true;
  };
  /** The manifest, to which dnt adds; the one that is published is written over it. */
  readonly package: Readonly<Record<string, unknown>>;
}

/**
 * A module as the command line names it: with a scheme (`jsr:…`, `file:…`) as it is, otherwise a
 * file, relative to the working directory.
 */
export function moduleSpecifier(text: string): string {
  return /^[a-z][a-z\d+.-]+:/i.test(text) ? text : pathToFileURL(resolve(text)).href;
}

async function findDeno(): Promise<string> {
  const { found, missing } = await findRuntimes(RUNTIMES.filter(({ name }) => name === "deno"));
  const [deno] = found;
  if (deno !== undefined) return deno.binary;
  throw new Error(`Cannot build with dnt: it runs in Deno. ${missing[0]?.reason}`);
}

/**
 * The source map counts the lines of dnt's copy of the sources, and this checkout's are published.
 * A file that dnt adds, for a shim, has no source here.
 */
function requireSameLines(sources: string, copy: string): void {
  const count = (path: string): number => readFileSync(path, "utf8").trimEnd().split("\n").length;
  for (const path of listFiles(copy)) {
    const own = join(sources, path);
    if (!existsSync(own) || count(own) === count(join(copy, path))) continue;
    throw new Error(
      `Cannot take what dnt made: its source "${path}" must have the lines of this checkout's`,
    );
  }
}

/**
 * Builds with dnt. There is no falling back: what a release is made with has to be known.
 *
 * @throws {Error} when Deno is not there, dnt cannot be loaded or fails, or it changed the sources.
 */
export async function buildWithDnt(
  { sources, directory, manifest, dnt = DNT }: BuilderInput,
): Promise<string> {
  const options: DntOptions = {
    entryPoints: ENTRIES.map((path, index) => ({
      name: index === 0 ? "." : `./${path.replace(/\.ts$/, "")}`,
      path: join(sources, path),
    })),
    outDir: directory,
    shims: {},
    importMap: join(ROOT, "deno.json"),
    test: false,
    typeCheck: false,
    skipNpmInstall: true,
    scriptModule: false,
    declaration: "separate",
    declarationMap: false,
    compilerOptions: { target: "Latest", lib: ["ESNext"], sourceMap: true, skipLibCheck: true },
    package: manifest,
  };
  const words = [...DENO, RUN_DNT, dnt, JSON.stringify(options)];
  const { status, stderr, error } = spawnSync(await findDeno(), words, {
    encoding: "utf8",
    stdio: ["ignore", "inherit", "pipe"],
  });
  if (status !== 0) {
    throw new Error(
      `Cannot build with dnt: ${error?.message || stderr.trim() || `status ${status}`}`,
    );
  }
  requireSameLines(sources, join(directory, "src"));
  return `dnt from ${dnt}`;
}
