/**
 * The main package's JavaScript by dnt, which is on JSR only and runs in Deno only: in a process of
 * its own, whatever runtime builds. Its modules go through the same esbuild as the sources, and have
 * to give the same bytes. What is published is made of the sources: of those, esbuild keeps breaks
 * between lines, and chooses short names by how often letters occur in them.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ROOT } from "../../tools/paths.ts";
import { findRuntimes, RUNTIMES } from "../../tools/runtimes.ts";
import { buildJavaScript } from "./javascript.ts";

/**
 * The pinned dnt. 0.42.3 rewrites `import.meta` and `new.target` for a polyfill that it does not
 * bring along: what it makes throws at its first call.
 */
const DNT = "jsr:@deno/dnt@0.43.2";

/** No lock file: dnt is no dependency of this checkout, and `deno.lock` would make it one. */
const DENO: readonly string[] = ["run", "-A", "--quiet", "--no-lock"];

/** Modules that no other one imports. */
const ENTRIES: readonly string[] = ["mod.ts", "lib/cli.ts"];

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
  /** Declarations are the compiler's. */
  readonly declaration: false;
  /** How it is compiled; for the latest target there are no polyfills. */
  readonly compilerOptions: {
    readonly target: "Latest";
    readonly lib: readonly ["ESNext"];
    readonly skipLibCheck: true;
  };
  /** The manifest that dnt writes; another one is published. */
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

/** What dnt's modules are held to. */
export interface DntInput {
  /** The sources. */
  readonly sources: string;
  /** A directory to work in. */
  readonly work: string;
  /** What dnt is loaded from, when it is another than the pinned one. */
  readonly dnt?: string | undefined;
}

/**
 * Makes modules of the sources by dnt, and requires that esbuild makes the same of both.
 * There is no falling back: what a release is made with has to be known.
 *
 * @returns Where dnt came from.
 * @throws {Error} when Deno is not there, dnt cannot be loaded or fails, or made anything else.
 */
export async function requireSameByDnt(input: DntInput): Promise<string> {
  const { sources, work, dnt = DNT } = input;
  const directory = join(work, "dnt");
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
    declaration: false,
    compilerOptions: { target: "Latest", lib: ["ESNext"], skipLibCheck: true },
    package: { name: "offheap", version: "0.0.0" },
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
  const own = join(work, "own-dist");
  const other = join(work, "dnt-dist");
  await buildJavaScript(own, { modules: sources, comparable: true });
  await buildJavaScript(other, {
    modules: join(directory, "esm"),
    extension: ".js",
    comparable: true,
  });
  for (const file of readdirSync(own)) requireSame(join(own, file), join(other, file));
  return `dnt from ${dnt}`;
}

/** What a bundle calls a module by: its path, with the extension that its kind has. */
const MODULE_NAME = /"([\w./-]+)\.[jt]s"\(\)/g;

function requireSame(own: string, other: string): void {
  const [text = "", otherText = ""] = [own, other].map((path) =>
    readFileSync(path, "utf8").replaceAll(MODULE_NAME, '"$1"()')
  );
  if (text === otherText) return;
  let at = 0;
  while (text[at] === otherText[at]) at++;
  const around = (from: string): string =>
    JSON.stringify(from.slice(Math.max(at - 60, 0), at + 60));
  throw new Error(
    `Cannot take what dnt made: ${basename(own)} would have ${around(otherText)} and has ` +
      `${around(text)} of the sources`,
  );
}
