/**
 * The published declarations, by TypeScript's own compiler: those that the library's entry leads to.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../tools/paths.ts";
import { dropComments, keepReachable, listFiles, writeJson } from "./files.ts";
import { ownRuntime } from "./process.ts";

/** A relative import in a declaration; the compiler leaves the sources' extension in it. */
const SPECIFIER = /(\bfrom |\bimport\(|\bimport )"(\.{1,2}\/[^"\n]+)\.ts"/g;

/** The same, once it has the extension that resolution looks for. */
const IMPORT = /(?:from |import ?\(?)"(\.[^"\n]+)\.js"/g;

/** Errors come to the entry by way of another module. */
const SHOWN: readonly string[] = ["mod.d.ts", "ffi/errors.d.ts"];

/**
 * Writes `types/` of a package that has its sources in `src/`.
 *
 * @throws {Error} when there is a type error; the compiler has then printed it.
 */
export function writeDeclarations(directory: string): void {
  const config = join(directory, "tsconfig.json");
  const types = join(directory, "types");
  writeJson(config, {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      newLine: "lf",
      rootDir: "src",
      declarationDir: "types",
    },
    include: [],
    files: ["src/mod.ts"],
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
        `Cannot declare the package's types: ${
          error?.message ?? `tsc ended with status ${status}`
        }`,
      );
    }
  } finally {
    rmSync(config);
  }
  for (const path of listFiles(types)) {
    const file = join(types, path);
    writeFileSync(file, readFileSync(file, "utf8").replace(SPECIFIER, '$1"$2.js"'));
  }
  keepReachable(types, "mod.d.ts", IMPORT);
  const entry = readFileSync(join(types, "mod.d.ts"), "utf8");
  // Other declarations only take part in the types of those that users read.
  dropComments(
    types,
    (path) => !SHOWN.includes(path) && !entry.includes(`"./${path.replace(/\.d\.ts$/, ".js")}"`),
  );
}
