/**
 * The main package's code by dnt, which is on JSR only.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../runtimes.ts";
import { ENTRIES } from "./tsc.ts";
import type { BuilderInput } from "./types.ts";

/** The pinned dnt. */
const DNT = "jsr:@deno/dnt@0.42.3";

/** The part of dnt that is used. */
interface Dnt {
  build(options: DntOptions): Promise<void>;
}

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
  /** How it is compiled. */
  readonly compilerOptions: {
    readonly target: "Latest";
    readonly lib: readonly ["ESNext"];
    readonly sourceMap: true;
    readonly skipLibCheck: true;
  };
  /** The manifest, to which dnt adds; the one that is published is written over it. */
  readonly package: Readonly<Record<string, unknown>>;
}

async function load(specifier: string): Promise<Dnt> {
  let why = "it has no function build";
  let cause: unknown;
  try {
    // A variable: what checks or caches the modules of this checkout must not fetch it.
    const dnt: Partial<Dnt> = await import(specifier);
    if (typeof dnt.build === "function") return dnt as Dnt;
  } catch (error) {
    cause = error;
    why = (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
  }
  const hint = process.versions["deno"] === undefined
    ? "dnt runs in Deno: deno run -A scripts/build-npm.ts --builder=dnt"
    : "See that JSR can be reached";
  throw new Error(
    `Cannot build with dnt: @deno/dnt could not be loaded from "${specifier}" (${why}). ${hint}, ` +
      "or use --builder=tsc.",
    { cause },
  );
}

/**
 * Builds with dnt. There is no falling back: what a release is made with has to be known.
 *
 * @throws {Error} when dnt cannot be loaded, or fails.
 */
export async function buildWithDnt(
  { sources, directory, manifest, dnt: specifier = DNT }: BuilderInput,
): Promise<string> {
  const dnt = await load(specifier);
  await dnt.build({
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
  });
  return `dnt from ${specifier}`;
}
