/**
 * What children of tests start: the command line, the fixtures and the benchmarks as few JavaScript
 * files. A runtime takes longer to read a hundred TypeScript modules than most tests take. The
 * sources themselves are started by `tests/project/sources.test.ts`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { ROOT } from "../../tools/runtimes.ts";

/** Where the bundles are, each in a directory named by its content. */
const OUTPUT: string = join(ROOT, "build", "tests", "bundles");

/** Bundles of other sources are kept this long: another run may be using one. */
const KEPT_MS = 2 * 60 * 60 * 1000;

/** The programs: single files, and all files of a directory. */
const PROGRAMS: readonly string[] = ["mod.ts", "lib/cli.ts"];
const DIRECTORIES: readonly string[] = [
  "tests/fixtures",
  "examples/off-heap",
  "bench",
  "bench/workloads",
];

/** A module's address, and not its name in a text. */
const ADDRESS = /(?<!["'`])\bimport\.meta\.url\b(?!["'`])/g;

/** Programs that start themselves as workers, by their own addresses. */
const OWN_WORKERS = /[\\/](?:tests[\\/]fixtures|examples)[\\/]/;

/**
 * Modules look for the checkout's files from where they are: they keep the addresses of their
 * sources.
 */
const sourceAddresses: Plugin = {
  name: "source-addresses",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (text.search(ADDRESS) === -1 || OWN_WORKERS.test(path)) return null;
      const address = JSON.stringify(pathToFileURL(path).href);
      return { contents: text.replaceAll(ADDRESS, () => address), loader: "ts" };
    });
  },
};

/** The sources of the programs that are bundled, as paths from the root. */
function programs(): string[] {
  const found = DIRECTORIES.flatMap((directory) =>
    readdirSync(join(ROOT, directory))
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${directory}/${name}`)
  );
  return [...PROGRAMS, ...found];
}

/**
 * Bundles today's sources, and gives the directory: a program of `lib/cli.ts` is `lib/cli.js` in
 * it. Sources that did not change give the directory that is there.
 */
export async function bundlePrograms(): Promise<string> {
  mkdirSync(OUTPUT, { recursive: true });
  // As deep as it will be: source maps have relative paths.
  const outdir = join(OUTPUT, "0");
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: programs(),
    outbase: ROOT,
    outdir,
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2024",
    packages: "external",
    external: ["bun:*"],
    sourcemap: true,
    plugins: [sourceAddresses],
    write: false,
    logLevel: "silent",
  });
  const hash = createHash("sha256");
  for (const { path, hash: content } of outputFiles) hash.update(`${path}\0${content}\0`);
  const directory = join(OUTPUT, hash.digest("hex").slice(0, 16));
  removeOld(directory);
  if (existsSync(directory)) {
    const now = new Date();
    utimesSync(directory, now, now);
    return directory;
  }
  const work = mkdtempSync(join(OUTPUT, ".work-"));
  chmodSync(work, 0o755); // some tests start programs as another user
  for (const { path, contents } of outputFiles) {
    const file = join(work, relative(outdir, path));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, contents);
  }
  try {
    renameSync(work, directory);
  } catch (error) {
    // Another run was faster.
    rmSync(work, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
  return directory;
}

function removeOld(kept: string): void {
  for (const name of readdirSync(OUTPUT)) {
    const path = join(OUTPUT, name);
    if (path === kept || Date.now() - statSync(path).mtimeMs < KEPT_MS) continue;
    rmSync(path, { recursive: true, force: true });
  }
}
