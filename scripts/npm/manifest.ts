/**
 * The `package.json` of each published package. One manifest, whichever builder made the code.
 *
 * @module
 */
import process from "node:process";
import { type ReleaseTarget, TARGETS } from "../../lib/library/targets.ts";
import { VERSION } from "../../lib/version.ts";
import workspace from "../../package.json" with { type: "json" };

/** What may stand in a `package.json`. */
export type Manifest = Readonly<Record<string, unknown>>;

/** The package that programs name. */
export const MAIN_PACKAGE = "offheap";

/** The oldest Node; `ffi/node-floor.ts` refuses older ones, and a test compares the two. */
export const ENGINES: Readonly<Record<string, string>> = { node: ">=22.12.0" };

/** Needed in some runtimes only: where it cannot be installed, the others go on without. */
const OPTIONAL: readonly string[] = ["koffi"];

/** Where the sources are: provenance wants to see it. A build elsewhere does not know. */
function repository(): Manifest {
  const name = process.env["GITHUB_REPOSITORY"];
  const server = process.env["GITHUB_SERVER_URL"] ?? "https://github.com";
  return name === undefined || name === ""
    ? {}
    : { repository: { type: "git", url: `git+${server}/${name}.git` } };
}

function common(): Manifest {
  return { version: VERSION, author: "the offheap authors", ...repository() };
}

const KEYWORDS: readonly string[] = [
  "allocator",
  "bun",
  "deno",
  "ffi",
  "jemalloc",
  "malloc",
  "memory",
  "mimalloc",
  "off-heap",
];

/** The name of a target's platform package. */
export function platformPackageName(target: string): string {
  return `@offheap/${target}`;
}

/**
 * The main package's manifest.
 *
 * @param targets The targets whose platform packages it names.
 */
export function mainManifest(targets: readonly ReleaseTarget[] = TARGETS): Manifest {
  const all: readonly (readonly [string, string])[] = Object.entries(workspace.dependencies);
  const isOptional = ([name]: readonly [string, string]): boolean => OPTIONAL.includes(name);
  return {
    name: MAIN_PACKAGE,
    ...common(),
    description: workspace.description,
    keywords: KEYWORDS,
    license: workspace.license,
    type: "module",
    engines: ENGINES,
    bin: { offheap: "esm/lib/cli.js" },
    types: "./types/mod.d.ts",
    // Bun runs the sources as they are; the compiled code is for Node and Deno, which refuse
    // TypeScript inside node_modules.
    exports: {
      ".": { types: "./types/mod.d.ts", bun: "./src/mod.ts", default: "./esm/mod.js" },
      "./package.json": "./package.json",
    },
    files: ["esm", "src", "types", "THIRD-PARTY-NOTICES.md"],
    dependencies: Object.fromEntries(all.filter((row) => !isOptional(row))),
    optionalDependencies: Object.fromEntries([
      ...all.filter(isOptional),
      ...targets.map(({ name }) => [platformPackageName(name), VERSION] as const),
    ]),
  };
}

/** A platform package's manifest; its fields keep npm from installing it anywhere else. */
export function platformManifest(target: ReleaseTarget): Manifest {
  return {
    name: platformPackageName(target.name),
    ...common(),
    description: `jemalloc, mimalloc and offheap's shim for ${target.name}; offheap finds them`,
    license: "MIT AND BSD-2-Clause",
    type: "module",
    os: [target.platform],
    cpu: [target.arch],
    ...(target.libc === null ? {} : { libc: [target.libc] }),
    types: "./index.d.ts",
    exports: {
      ".": { types: "./index.d.ts", default: "./index.js" },
      "./package.json": "./package.json",
    },
    // A library has to be a file of its own, also where packages stay in archives.
    preferUnplugged: true,
  };
}
