/**
 * The main package's code by TypeScript's own compiler.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import typescript from "typescript/package.json" with { type: "json" };
import { ROOT } from "../../tools/runtimes.ts";
import { listFiles, writeJson } from "./files.ts";
import { ownRuntime } from "./process.ts";
import type { BuilderInput } from "./types.ts";

/** Modules that no other one imports: the two entries, and what the build starts as a process. */
export const ENTRIES: readonly string[] = ["mod.ts", "lib/cli.ts", "packages/build/check/probe.ts"];

/** A relative import in a declaration; the compiler leaves the sources' extension in it. */
const SPECIFIER = /(\bfrom |\bimport\(|\bimport )"(\.{1,2}\/[^"\n]+)\.ts"/g;

/**
 * Compiles the sources.
 *
 * @throws {Error} when there is a type error; the compiler has then printed it.
 */
export function buildWithTsc({ sources, directory }: BuilderInput): Promise<string> {
  cpSync(sources, join(directory, "src"), { recursive: true });
  const config = join(directory, "tsconfig.json");
  writeJson(config, {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: {
      noEmit: false,
      rewriteRelativeImportExtensions: true,
      resolveJsonModule: true,
      declaration: true,
      sourceMap: true,
      newLine: "lf",
      rootDir: "src",
      outDir: "esm",
      declarationDir: "types",
    },
    include: [],
    files: ENTRIES.map((path) => `src/${path}`),
  });
  try {
    const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const [runtime, ...words] = ownRuntime(compiler, "-p", config);
    const { status, error } = spawnSync(runtime, words, {
      cwd: directory,
      stdio: ["ignore", "inherit", "inherit"],
    });
    if (status !== 0) {
      throw new Error(
        `Cannot compile the npm package: ${error?.message ?? `tsc ended with status ${status}`}`,
      );
    }
  } finally {
    rmSync(config);
  }
  for (const path of listFiles(join(directory, "types"))) {
    const file = join(directory, "types", path);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(SPECIFIER, '$1"$2.js"'));
  }
  return Promise.resolve(`tsc ${typescript.version}`);
}
