/**
 * From the compiled modules to few files: a runtime takes longer for a hundred small modules than
 * for everything in them. The bundler is Bun's, which is here anyway.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join, posix, relative, resolve, sep } from "node:path";
import { ROOT } from "../runtimes.ts";
import { writeJson } from "./files.ts";
import { composeMaps, decodeMappings, type ModuleMap, type SourceMap } from "./source-maps.ts";

/** One run of the bundler. */
interface Bundle {
  readonly entries: readonly string[];
  readonly options: readonly string[];
}

/** The library's names stay as they are, for stack traces. */
const SMALL: readonly string[] = ["--minify-syntax", "--minify-whitespace"];

/**
 * The library is one file with a source map. The command line shares no file with it; what a
 * command does not need is in files that it does not load. Those lie two directories deep, as the
 * modules do that look for files of the package.
 */
const LIBRARY: Bundle = { entries: ["mod.js"], options: [...SMALL, "--sourcemap=linked"] };
const COMMAND_LINE: Bundle = {
  entries: ["lib/cli.js", "scripts/native/probe.js"],
  options: [
    ...SMALL,
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
 * Replaces the modules in `esm/` by bundles of them.
 *
 * @param directory The package's directory.
 * @throws {Error} when the bundler fails.
 */
export function bundlePackage(directory: string): void {
  const bun = join(ROOT, "node_modules", "bun", "bin", "bun.exe");
  const esm = join(directory, "esm");
  const modules = join(directory, "modules");
  renameSync(esm, modules);
  try {
    for (const part of [LIBRARY, COMMAND_LINE]) bundle(bun, modules, esm, part);
    const map = join(esm, "mod.js.map");
    writeJson(map, composeMaps(readMap(map), (name) => moduleMap(name, esm)), 0);
  } finally {
    rmSync(modules, { recursive: true, force: true });
  }
}

function readMap(path: string): SourceMap {
  return JSON.parse(readFileSync(path, "utf8"));
}

function moduleMap(name: string, esm: string): ModuleMap | null {
  const path = `${resolve(esm, name)}.map`;
  if (!existsSync(path)) return null;
  const { sources: [source = ""], mappings } = readMap(path);
  const absolute = resolve(dirname(path), source);
  return {
    lines: decodeMappings(mappings),
    source: relative(esm, absolute).replaceAll(sep, posix.sep),
  };
}
