/**
 * The `package.json` of each published package. One manifest, whichever builder made the code.
 *
 * @module
 */
import { koffiPackage } from "../../ffi/adapters/koffi.ts";
import { BUILD_PACKAGE } from "../../ffi/packages.ts";
import { type ReleaseTarget, TARGETS } from "../../lib/library/targets.ts";
import { VERSION } from "../../lib/version.ts";
import { NATIVE_SOURCES } from "./files.ts";
import workspace from "../../package.json" with { type: "json" };
import buildWorkspace from "../../packages/build/package.json" with { type: "json" };

/** What a `package.json` may hold. */
export type Manifest = Readonly<Record<string, unknown>>;

/** The package that programs name. */
export const MAIN_PACKAGE = "offheap";

/** The oldest Node; `ffi/node-floor.ts` refuses older ones, and a test compares the two. */
export const ENGINES: Readonly<Record<string, string>> = { node: ">=22.12.0" };

/** The sources, as a page; its address is in this checkout's `package.json` alone. */
export const REPOSITORY: string = workspace.repository.url.replace(/^git\+|\.git$/g, "");

function common(): Manifest {
  return {
    version: VERSION,
    author: "the offheap authors",
    homepage: `${REPOSITORY}#readme`,
    bugs: `${REPOSITORY}/issues`,
    repository: workspace.repository,
  };
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
 * koffi's ready-made packages, which Node 22 and 24 need. koffi itself has an install script, which
 * package managers refuse or warn of, for a compiler that is not needed where there is such a
 * package.
 */
function koffiPackages(targets: readonly ReleaseTarget[]): Record<string, string> {
  const names = targets.map(({ platform, arch }) => koffiPackage(platform, arch));
  return Object.fromEntries(names.map((name) => [name, workspace.dependencies.koffi]));
}

/**
 * The main package's manifest. It depends on nothing: what its command needs is in the command.
 *
 * @param targets The targets whose platform packages it names; they may be missing.
 */
export function mainManifest(targets: readonly ReleaseTarget[] = TARGETS): Manifest {
  return {
    name: MAIN_PACKAGE,
    ...common(),
    description: workspace.description,
    keywords: KEYWORDS,
    license: workspace.license,
    type: "commonjs",
    engines: ENGINES,
    bin: { offheap: "dist/cli.cjs" },
    main: "./dist/mod.cjs",
    types: "./types/mod.d.ts",
    // Bun runs the sources as they are; Node and Deno refuse TypeScript inside node_modules. What
    // they get is CommonJS, which all can load, also by import: one module, and one state.
    exports: {
      ".": { types: "./types/mod.d.ts", default: "./dist/mod.cjs" },
      "./package.json": "./package.json",
    },
    files: ["dist", "types", "THIRD-PARTY-NOTICES.md"],
    optionalDependencies: {
      ...koffiPackages(targets),
      ...Object.fromEntries(targets.map(({ name }) => [platformPackageName(name), VERSION])),
    },
    // What registerMetrics() takes, in programs that have them: they are not imported.
    peerDependencies: { "@opentelemetry/api": ">=1.3", "prom-client": ">=14" },
    peerDependenciesMeta: {
      "@opentelemetry/api": { optional: true },
      "prom-client": { optional: true },
    },
    // Packages are looked for from where it is, also where they stay in archives.
    preferUnplugged: true,
  };
}

/** The manifest of the build; its dependencies are those of its own directory. */
export function buildManifest(): Manifest {
  const { description, license, dependencies } = buildWorkspace;
  return {
    name: BUILD_PACKAGE,
    ...common(),
    description,
    keywords: KEYWORDS,
    license,
    type: "module",
    engines: ENGINES,
    bin: { "offheap-build": "dist/build/main.mjs" },
    exports: { "./package.json": "./package.json" },
    files: ["dist", NATIVE_SOURCES, "THIRD-PARTY-NOTICES.md"],
    dependencies,
    // A library that was built is opened once.
    optionalDependencies: koffiPackages(TARGETS),
    // The C sources have to be files of their own, for a compiler.
    preferUnplugged: true,
  };
}

/** A platform package's manifest; its fields keep npm from installing it anywhere else. */
export function platformManifest(target: ReleaseTarget): Manifest {
  return {
    name: platformPackageName(target.name),
    ...common(),
    description: `jemalloc, mimalloc and offheap's shim for ${target.name}; offheap finds them`,
    license: "MIT AND BSD-2-Clause",
    type: "commonjs",
    os: [target.platform],
    cpu: [target.arch],
    ...(target.libc === null ? {} : { libc: [target.libc] }),
    types: "./index.d.ts",
    exports: {
      ".": { types: "./index.d.ts", default: "./index.cjs" },
      "./package.json": "./package.json",
    },
    // A library has to be a file of its own, also where packages stay in archives.
    preferUnplugged: true,
  };
}
