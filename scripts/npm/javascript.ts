/**
 * The published JavaScript, by esbuild: one file for the library and a few for the command, since
 * a runtime takes longer for a hundred small modules than for everything in them.
 *
 * offheap's are CommonJS, which every tool can load: `require` in all of them, `import` in Node, Deno and
 * bundlers. There is one module, and so one state, however a program loads it.
 *
 * @module
 */
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type BuildOptions, type Metafile, type Plugin, version } from "esbuild";
import { nodeRefusal } from "../../ffi/node-floor.ts";
import { ROOT } from "../../tools/paths.ts";

/** The bundler, with its version. */
export const ESBUILD: string = `esbuild ${version}`;

/** A package's JavaScript. */
export type PackageName = "offheap" | "build";

/** A file that is made. */
interface Bundle {
  /** The module that it begins with, without its extension. */
  readonly entry: string;
  /** The file. */
  readonly file: string;
  /** What is particular about it. */
  readonly options: BuildOptions;
}

/** The message for a Node that is too old for the library, with its version as an expression. */
function refusal(): string {
  const message = nodeRefusal("load offheap", "0.0.0")?.message ?? "";
  const [before, after] = message.split("0.0.0").map((text) => JSON.stringify(text));
  return `${before} + globalThis.process.versions.node + ${after}`;
}

/**
 * Has `process` as it is: of a default import each module would make a copy with every one of its
 * properties, which takes longer than the rest of what a module does when it is loaded. Not for what
 * has a source map, which would name this as a source.
 */
const SAME_PROCESS: Plugin = {
  name: "same process",
  setup({ onResolve, onLoad }) {
    onResolve(
      { filter: /^node:process$/ },
      // What requires it, as commander does, has no copy, and wants no module with a default.
      ({ path, kind, namespace }) =>
        namespace === "file" && kind === "import-statement" ? { path, namespace: "process" } : null,
    );
    onLoad({ filter: /^/, namespace: "process" }, () => ({
      contents: 'export default require("node:process");',
    }));
  },
};

/** The name of what takes the place of `import.meta.url`. */
const OWN_URL = "offheapUrl";

/** What a bundler puts in the place of `__filename` may be nothing, or not a path. */
const OWN_URL_LINE = `var ${OWN_URL} = typeof __filename === "string" && ` +
  'require("node:path").isAbsolute(__filename) ' +
  '? require("node:url").pathToFileURL(__filename).href : undefined;';

/** CommonJS, with what takes the place of `import.meta.url`. */
function commonJs(...before: readonly string[]): BuildOptions {
  return {
    format: "cjs",
    banner: { js: ['"use strict";', ...before, OWN_URL_LINE].join("\n") },
    define: { "import.meta.url": OWN_URL },
  };
}

/**
 * The library may be bundled again, into what has no `require`. Its names and lines stay as they
 * are: a runtime shows them in stack traces, and quotes the whole line that threw.
 */
const LIBRARY: Bundle = {
  entry: "mod",
  // The one extension that Deno takes for CommonJS wherever the file is.
  file: "mod.cjs",
  options: {
    ...commonJs(
      "var require = globalThis.process.getBuiltinModule;",
      `if (require === undefined) throw new Error(${refusal()});`,
    ),
    sourcemap: "linked",
    sourcesContent: false,
  },
};

/** Code that nobody quotes; of long lines a runtime would show all when something throws. */
const SMALL: BuildOptions = {
  minifyIdentifiers: true,
  minifyWhitespace: true,
  lineLimit: 200,
};

/** What the command loads when it has to, by the module that it is: each from a file of its own. */
const LOADED_LATER = { "lib/cli/quick-run": "run.cjs", "lib/cli/main": "main.cjs" } as const;

/** Has the modules of {@linkcode LOADED_LATER} required from their files. */
const LOAD_LATER: Plugin = {
  name: "load later",
  setup({ initialOptions: { absWorkingDir = ROOT }, onResolve }) {
    onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
      if (kind !== "dynamic-import") return null;
      const module = relative(absWorkingDir, join(resolveDir, path)).replace(/\.[jt]s$/, "");
      const found = Object.entries(LOADED_LATER).find(([later]) => later === module);
      return found === undefined ? null : { path: `./${found[1]}`, external: true };
    });
  },
};

const COMMAND_OPTIONS: BuildOptions = { ...commonJs(), ...SMALL, plugins: [SAME_PROCESS] };

/**
 * The command begins with little, for Node keeps compiled only what is loaded after its cache was
 * turned on. What it loads then has the packages that it needs in it.
 */
const COMMAND: readonly Bundle[] = [
  {
    entry: "lib/cli",
    file: "cli.cjs",
    options: {
      ...COMMAND_OPTIONS,
      plugins: [SAME_PROCESS, LOAD_LATER],
      supported: { "dynamic-import": false },
    },
  },
  ...Object.entries(LOADED_LATER)
    .map(([entry, file]) => ({ entry, file, options: COMMAND_OPTIONS })),
];

/** The build's modules are as deep below their package as they are below a checkout. */
function buildModule(entry: string, file: string): Bundle {
  const options: BuildOptions = {
    format: "esm",
    packages: "external",
    ...SMALL,
  };
  return { entry: `packages/build/${entry}`, file: `build/${file}.mjs`, options };
}

const BUNDLES: Readonly<Record<PackageName, readonly Bundle[]>> = {
  offheap: [LIBRARY, ...COMMAND],
  build: [buildModule("main", "main"), buildModule("check/probe", "probe")],
};

/** What JavaScript is made of. */
export interface JavaScriptOptions {
  /** The package; `offheap` when absent. */
  readonly name?: PackageName;
  /** The directory of the modules; this checkout when absent. */
  readonly modules?: string;
  /** The modules' extension; `.ts` when absent. */
  readonly extension?: string;
  /**
   * Whether what is made takes itself for this checkout's modules, and finds the libraries that
   * this checkout built. Published JavaScript does not.
   */
  readonly inCheckout?: boolean;
  /** Whether names stay as they are, and nothing of how the modules were laid out: to compare. */
  readonly comparable?: boolean;
}

/**
 * Makes a package's JavaScript: of `offheap` `mod.cjs` with its source map, and the command.
 *
 * @param out The directory that gets the files.
 * @returns For each file, what esbuild reports of its inputs.
 * @throws {Error} when esbuild fails; it has printed why by then.
 */
export async function buildJavaScript(
  out: string,
  options: JavaScriptOptions = {},
): Promise<Metafile[]> {
  const bundles = BUNDLES[options.name ?? "offheap"];
  return await Promise.all(bundles.map((bundle) => buildBundle(bundle, out, options)));
}

/** Makes the files of the command of `offheap`, and no library. */
export async function buildCommand(out: string, options: JavaScriptOptions = {}): Promise<void> {
  await Promise.all(COMMAND.map((bundle) => buildBundle(bundle, out, options)));
}

async function buildBundle(
  { entry, file, options }: Bundle,
  out: string,
  { modules = ROOT, extension = ".ts", inCheckout = false, comparable = false }: JavaScriptOptions,
): Promise<Metafile> {
  const url = pathToFileURL(join(ROOT, "lib", "library", "origins.ts")).href;
  const { metafile } = await build({
    absWorkingDir: modules,
    entryPoints: [entry + extension],
    outfile: join(out, file),
    bundle: true,
    platform: "node",
    target: "es2024",
    // Not by what configuration is found above the modules.
    tsconfigRaw: { compilerOptions: { strict: true, verbatimModuleSyntax: true } },
    minifySyntax: true,
    legalComments: "none",
    logLevel: "warning",
    ...options,
    ...(comparable
      ? { minifyWhitespace: true, minifyIdentifiers: false, sourcemap: false, lineLimit: 0 }
      : {}),
    ...(inCheckout ? { define: { "import.meta.url": JSON.stringify(url) } } : {}),
    metafile: true,
  });
  return metafile;
}
