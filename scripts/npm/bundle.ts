/**
 * From the compiled modules to few files: a runtime takes longer for a hundred small modules than
 * for everything in them. The bundler is Bun's, which is here anyway.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix, relative, resolve, sep } from "node:path";
import { ROOT } from "../../tools/runtimes.ts";
import { BUNDLED_LIBRARY, COMMAND_FILES, toCommonJs } from "./common-js.ts";
import { listFiles, writeJson } from "./files.ts";
import { composeMaps, decodeMappings, type ModuleMap, type SourceMap } from "./source-maps.ts";

/** One run of the bundler. */
interface Bundle {
  readonly entries: readonly string[];
  readonly options: readonly string[];
}

/**
 * The library is one file with a source map. Its names and lines stay as they are: a runtime shows
 * them in stack traces, and quotes the whole line that threw.
 */
const LIBRARY: Bundle = {
  entries: ["mod.js"],
  options: ["--minify-syntax", "--sourcemap=linked"],
};

/**
 * The command line shares no file with the library; what a command does not need is in files that
 * it does not load. Those lie two directories deep, as the modules do that look for files of the
 * package.
 */
const COMMAND_LINE: Bundle = {
  entries: ["lib/cli.js", "packages/build/check/probe.js"],
  options: [
    "--minify-syntax",
    "--minify-identifiers",
    "--splitting",
    "--chunk-naming=lib/cli/[name]-[hash].[ext]",
  ],
};

function bundle(bun: string, from: string, to: string, { entries, options }: Bundle): void {
  const { status, stderr, error } = spawnSync(bun, [
    "build",
    ...entries.map((entry) => `./${entry}`),
    "--root=.",
    "--target=node",
    "--format=esm",
    "--packages=external",
    "--outdir",
    to,
    ...options,
  ], { cwd: from, encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  if (status === 0) return;
  throw new Error(
    `Cannot bundle ${entries.join(" and ")}: ${error?.message ?? stderr.trim()}`,
  );
}

/**
 * Makes bundles in `dist/` of the modules in `esm/`, which are removed.
 *
 * @param directory The package's directory.
 * @throws {Error} when the bundler fails, or what it makes cannot be made CommonJS.
 */
export function bundlePackage(directory: string): void {
  const bun = join(ROOT, "node_modules", "bun", "bin", "bun.exe");
  const modules = join(directory, "esm");
  const dist = join(directory, "dist");
  bundle(bun, modules, dist, COMMAND_LINE);
  for (const path of listFiles(dist)) {
    const file = join(dist, path);
    writeFileSync(file, toCommonJs(readFileSync(file, "utf8"), COMMAND_FILES).text);
  }
  bundle(bun, modules, dist, LIBRARY);
  finishLibrary(dist);
  rmSync(modules, { recursive: true });
}

/** The library by the one name that Deno takes for CommonJS wherever it lies, with its map. */
function finishLibrary(dist: string): void {
  const bundled = join(dist, "mod.js");
  const file = join(dist, "mod.cjs");
  const { text, linesBefore } = toCommonJs(readFileSync(bundled, "utf8"), BUNDLED_LIBRARY);
  writeFileSync(file, text.replace("sourceMappingURL=mod.js.map", "sourceMappingURL=mod.cjs.map"));
  const map = readMap(`${bundled}.map`);
  const composed = composeMaps(map, (name) => moduleMap(name, dist), linesBefore);
  writeJson(`${file}.map`, composed, 0);
  for (const path of [bundled, `${bundled}.map`]) rmSync(path);
}

function readMap(path: string): SourceMap {
  return JSON.parse(readFileSync(path, "utf8"));
}

function moduleMap(name: string, from: string): ModuleMap | null {
  const path = `${resolve(from, name)}.map`;
  if (!existsSync(path)) return null;
  const { sources: [source = ""], mappings } = readMap(path);
  const absolute = resolve(dirname(path), source);
  return {
    lines: decodeMappings(mappings),
    source: relative(from, absolute).replaceAll(sep, posix.sep),
  };
}
