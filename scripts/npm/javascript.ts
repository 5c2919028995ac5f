/**
 * The published JavaScript, by esbuild: one file for the library and one for each command, since a
 * runtime takes longer for a hundred small modules than for everything in them.
 *
 * They are CommonJS, which every tool can load: `require` in all of them, `import` in Node, Deno and
 * bundlers. There is one module, and so one state, however a program loads it.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, buildSync, type Metafile } from "esbuild";
import { nodeRefusal } from "../../ffi/node-floor.ts";
import { ROOT } from "../../tools/runtimes.ts";

/** A file that is made. */
interface Bundle {
  /** The module that it begins with, without its extension. */
  readonly entry: string;
  /** The file. */
  readonly file: string;
  /** The lines before the modules. */
  readonly banner: string;
  /** What is particular about it. */
  readonly options: Pick<BuildOptions, "minifyIdentifiers" | "sourcemap" | "sourcesContent">;
}

/** A Node that is too old for the library is told so, with its version as an expression. */
function refusal(): string {
  const message = nodeRefusal("load offheap", "0.0.0")?.message ?? "";
  const [before, after] = message.split("0.0.0").map((text) => JSON.stringify(text));
  return `${before} + globalThis.process.versions.node + ${after}`;
}

/** The name of what takes the place of `import.meta.url`. */
const OWN_URL = "offheapUrl";

const STRICT = '"use strict";';

/** What a bundler puts in the place of `__filename` may be nothing, or a path that is none. */
const OWN_URL_LINE = `var ${OWN_URL} = typeof __filename === "string" && ` +
  'require("node:path").isAbsolute(__filename) ' +
  '? require("node:url").pathToFileURL(__filename).href : undefined;';

/**
 * The library may be bundled again, into what has no `require`. Its names and lines stay as they
 * are: a runtime shows them in stack traces, and quotes the whole line that threw.
 */
const LIBRARY: Bundle = {
  entry: "mod",
  // The one extension that Deno takes for CommonJS wherever the file is.
  file: "mod.cjs",
  banner: [
    STRICT,
    "var require = globalThis.process.getBuiltinModule;",
    `if (require === undefined) throw new Error(${refusal()});`,
    OWN_URL_LINE,
  ].join("\n"),
  options: { sourcemap: "linked", sourcesContent: false },
};

/** A command has the packages that it needs in it, and runs what it does not need at no time. */
const COMMAND: Bundle = {
  entry: "lib/cli",
  file: "cli.cjs",
  banner: [STRICT, OWN_URL_LINE].join("\n"),
  options: { minifyIdentifiers: true },
};

/** What the published JavaScript is made of. */
export interface JavaScriptOptions {
  /** The directory of the modules; this checkout when absent. */
  readonly modules?: string;
  /** The modules' extension; `.ts` when absent. */
  readonly extension?: string;
  /**
   * Whether what is made takes itself for this checkout's modules, and finds the libraries that
   * this checkout built. Published JavaScript does not.
   */
  readonly inCheckout?: boolean;
}

/**
 * Makes `mod.cjs` with its source map, and `cli.cjs`.
 *
 * @param out The directory that gets the files.
 * @returns For each file, what esbuild tells of its inputs.
 * @throws {Error} when esbuild fails; it has printed why by then.
 */
export function buildJavaScript(out: string, options: JavaScriptOptions = {}): Metafile[] {
  return [LIBRARY, COMMAND].map((bundle) => buildBundle(bundle, out, options));
}

function buildBundle(
  { entry, file, banner, options }: Bundle,
  out: string,
  { modules = ROOT, extension = ".ts", inCheckout = false }: JavaScriptOptions,
): Metafile {
  const url = pathToFileURL(join(ROOT, "lib", "library", "origins.ts")).href;
  const { metafile } = buildSync({
    absWorkingDir: modules,
    entryPoints: [entry + extension],
    outfile: join(out, file),
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "es2024",
    // Not by what configuration is found above the modules.
    tsconfigRaw: { compilerOptions: { strict: true, verbatimModuleSyntax: true } },
    minifySyntax: true,
    legalComments: "none",
    banner: { js: banner },
    define: { "import.meta.url": inCheckout ? JSON.stringify(url) : OWN_URL },
    logLevel: "warning",
    ...options,
    metafile: true,
  });
  return metafile;
}
