/**
 * What children of tests start: the fixtures and the benchmarks as few JavaScript files, and the
 * command line as the three that are published; and the tests themselves for Node, which takes three
 * times as long to read a hundred TypeScript modules. The sources themselves are started by
 * `tests/project/sources.test.ts`, and tested in Deno and Bun.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type OutputFile, type Plugin } from "esbuild";
import { keptDirectoryAsync, type Store } from "../../tools/kept-directory.ts";
import { ROOT } from "../../tools/paths.ts";
import { buildCommand } from "../npm/javascript.ts";
import { testFiles } from "./files.ts";

/** Where the bundles are. Those of other sources are kept for a while: another run may be using one. */
const STORE: Store = {
  place: join(ROOT, "build", "tests", "bundles"),
  kept: 2 * 60 * 60 * 1000,
};

/**
 * The programs: single files, and all files of a directory. Those that are bundled together share
 * files, the more of them the more ways there are to combine modules, and a runtime takes longer for
 * many: the benchmarks, which combine most, are bundled by themselves.
 */
const PROGRAMS: readonly (readonly string[])[] = [
  ["mod.ts", "tests/fixtures/", "examples/", "examples/off-heap/"],
  ["bench/", "bench/workloads/"],
  ["packages/build/main.ts", "scripts/build-native.ts", "scripts/npm/run-dnt.ts"],
];

/** What the command line begins with. */
const COMMAND = "lib/cli.ts";

/** What makes the command line's files; whether its modules changed is seen by a bundle of them. */
const COMMAND_BUNDLER = join(ROOT, "scripts", "npm", "javascript.ts");

/** Programs that start themselves as workers, by their own addresses. */
const OWN_WORKERS = /[\\/](?:tests[\\/]fixtures|examples[\\/]off-heap)[\\/]/;

/** What `import.meta.url` becomes: each module begins with its own. */
const ADDRESS = "sourceAddress";

/**
 * Modules look for the checkout's files from where they are: they keep the addresses of their
 * sources.
 */
const sourceAddresses: Plugin = {
  name: "source-addresses",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!text.includes("import.meta.url")) return null;
      const address = OWN_WORKERS.test(path)
        ? `const { url: ${ADDRESS} } = import.meta;`
        : `const ${ADDRESS} = ${JSON.stringify(pathToFileURL(path).href)};`;
      return { contents: text.replace(/^(#!.*\n)?/, (start) => start + address), loader: "ts" };
    });
  },
};

/** The sources of programs, as paths from the root. */
function sourcesOf(programs: readonly string[]): string[] {
  return programs.flatMap((path) =>
    !path.endsWith("/") ? [path] : readdirSync(join(ROOT, path))
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${path}${name}`)
  );
}

/** As deep as they will be: source maps have relative paths. */
const OUT = join(STORE.place, "0");

/** What a test imports is not the program, though the file into which it is bundled is. */
const IMPORTED: Readonly<Record<string, string>> = { "import.meta.main": "false" };

/** Bundles programs, whose files are placed as their sources are. */
async function bundle(
  entryPoints: string[],
  define: Readonly<Record<string, string>> = {},
): Promise<OutputFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints,
    outbase: ROOT,
    outdir: OUT,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2024",
    packages: "external",
    external: ["bun:*"],
    sourcemap: true,
    define: { "import.meta.url": ADDRESS, ...define },
    plugins: [sourceAddresses],
    write: false,
    logLevel: "silent",
  });
  return outputFiles;
}

/**
 * Bundles today's sources, and gives the directory: a program of `bench/x.ts` is `bench/x.js` in it,
 * and `lib/cli.ts` is `lib/cli.cjs`. Sources that did not change give the directory that is there.
 */
export async function bundlePrograms(): Promise<string> {
  const [command, ...outputs] = await Promise.all([
    bundle([COMMAND]),
    ...PROGRAMS.map((programs) => bundle(sourcesOf(programs))),
    bundle(testFiles(), IMPORTED),
  ]);
  const files = outputs.flat();
  const hash = createHash("sha256");
  for (const { path, hash: content } of [...command, ...files]) {
    hash.update(`${path}\0${content}\0`);
  }
  hash.update(readFileSync(COMMAND_BUNDLER));
  return await keptDirectoryAsync(STORE, hash.digest("hex").slice(0, 16), async (work) => {
    for (const { path, contents } of files) {
      const file = join(work, relative(OUT, path));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, contents);
    }
    await buildCommand(join(work, "lib"), { inCheckout: true });
  });
}
