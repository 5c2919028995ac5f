/**
 * The one place that distinguishes runtimes and picks an adapter.
 *
 * @module
 */
import process from "node:process";
import { createBunAdapter } from "./adapters/bun.ts";
import { createDenoAdapter, missingDenoFlags } from "./adapters/deno.ts";
import {
  isPermissionRefusal,
  PermissionError,
  permissionError,
  UnsupportedRuntimeError,
} from "./errors.ts";
import { RUNTIME_MEMORY, type RuntimeMemory } from "./adapters/memory.ts";
import { createKoffiAdapter, requireKoffi } from "./adapters/koffi.ts";
import { createAddonAdapter } from "./adapters/node-addon.ts";
import { createNodeAdapter } from "./adapters/node.ts";
import { missingNodeFlags } from "./adapters/node-common.ts";
import { opensslSha256 } from "./adapters/node-digest.ts";
import { nodeRefusal } from "./node-floor.ts";
import type { Adapter, Permission, RuntimeInfo } from "./types.ts";

function pickNodeAdapter(runtime: RuntimeInfo): Adapter {
  const refusal = nodeRefusal("use native libraries", runtime.version);
  if (refusal !== null) throw refusal;
  const builtin = process.getBuiltinModule("node:ffi");
  if (builtin !== undefined) return createNodeAdapter(runtime, builtin);
  let koffi;
  try {
    koffi = requireKoffi();
  } catch (error) {
    throw koffiError(runtime, error);
  }
  return createKoffiAdapter(runtime, koffi);
}

/** Why koffi could not be loaded: the permission model's refusals come apart from its absence. */
function koffiError(runtime: RuntimeInfo, error: unknown): Error {
  const action = 'load the package "koffi"';
  if (isPermissionRefusal(error)) return permissionError(action, "--allow-fs-read", error);
  const disabled = error instanceof Error && "code" in error &&
    error.code === "ERR_DLOPEN_DISABLED";
  if (disabled && process.permission !== undefined) {
    return new PermissionError(action, "--allow-addons", { cause: error });
  }
  return new UnsupportedRuntimeError(
    `Cannot use native libraries in Node ${runtime.version}: it has no node:ffi (Node 26 has, ` +
      'unless it runs with --no-experimental-ffi), and the package "koffi" could not be loaded ' +
      `(${error instanceof Error ? error.message.split("\n")[0] : error}). ` +
      'Install it with "npm install koffi", or use Node 26.',
    { cause: error },
  );
}

function pickAdapter(): Adapter {
  const { deno, bun, node } = process.versions as NodeJS.Dict<string>;
  if (deno !== undefined) return createDenoAdapter(Reflect.get(globalThis, "Deno"));
  if (bun !== undefined) return createBunAdapter(bun, process.getBuiltinModule("bun:ffi"));
  return pickNodeAdapter({ name: "node", version: node ?? "unknown" });
}

let adapter: Adapter | undefined;

/**
 * The adapter of the runtime that runs this, picked at the first call.
 *
 * @throws {UnsupportedRuntimeError} when the runtime has no foreign function interface.
 */
export function ffi(): Adapter {
  adapter ??= pickAdapter();
  return adapter;
}

/**
 * Does a launch with the calls that the shim has for it, where the runtime's foreign function interface
 * is a package that takes long to load: Node without `node:ffi`.
 *
 * @param shim The path of offheap's shim.
 * @param launch What is done; nothing that it opened can be used afterwards.
 * @throws {PermissionError} when the runtime does not permit to load the shim.
 * @throws {LibraryLoadError} when it cannot be loaded.
 */
export function launchByShim<T>(shim: string, launch: () => T): T {
  const { name, version } = runtimeInfo();
  const builtin = name !== "node" || process.getBuiltinModule("node:ffi") !== undefined;
  if (adapter !== undefined || builtin) return launch();
  adapter = createAddonAdapter({ name, version }, shim);
  try {
    return launch();
  } finally {
    adapter = undefined;
  }
}

/** The sha256 of pieces in a row, in hexadecimal. */
export function sha256(pieces: Iterable<Uint8Array>): string {
  const quick = runtimeInfo().name === "node" &&
    process.getBuiltinModule("node:ffi") !== undefined;
  const digest = quick ? opensslSha256(ffi(), pieces) : null;
  if (digest !== null) return digest;
  // Not imported: `offheap run` need not wait for what it does not use.
  const hash = process.getBuiltinModule("node:crypto").createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

/**
 * The flags of what a program needs and may not do; none where the runtime does not report them.
 * Node reports of files only whether it permits all of them, so that a refusal has to name that flag.
 */
export function missingFlags(needs: readonly Permission[]): string[] {
  const { deno } = process.versions as NodeJS.Dict<string>;
  if (deno !== undefined) return missingDenoFlags(Reflect.get(globalThis, "Deno"), needs);
  return needs.includes("ffi") ? missingNodeFlags() : [];
}

/** The runtime that runs this; works where native libraries cannot be used, too. */
export function runtimeInfo(): RuntimeInfo {
  const versions = process.versions as NodeJS.Dict<string>;
  for (const name of ["deno", "bun"]) {
    const version = versions[name];
    if (version !== undefined) return { name, version };
  }
  return { name: "node", version: versions.node ?? "unknown" };
}

/** What the runtime counts of its own memory; works where native libraries cannot be used, too. */
export function runtimeMemory(): RuntimeMemory {
  const { name } = runtimeInfo();
  const reader = RUNTIME_MEMORY[name];
  if (reader === undefined) throw new TypeError(`Cannot read the memory of the runtime "${name}"`);
  return reader;
}

/**
 * Whether the runtime adds variables of files in the working directory, such as `.env`, to
 * `process.env` unasked.
 */
export function readsEnvironmentFiles(): boolean {
  return (process.versions as NodeJS.Dict<string>).bun !== undefined;
}

/**
 * Whether the runtime runs code that a variable or a file of the working directory names before a
 * program's first line (`NODE_OPTIONS`, `bunfig.toml`): it may have set variables, too.
 */
export function runsOthersFirst(): boolean {
  return runtimeInfo().name !== "deno";
}

/**
 * Whether the runtime has a compile cache that a launch may use: Bun takes the call as well, and keeps
 * the directory open, which the launched program would inherit.
 */
export function hasCompileCache(): boolean {
  return runtimeInfo().name === "node";
}

/** Whether the runtime's own resolver installs a package that is missing. */
export function resolverInstalls(): boolean {
  return (process.versions as NodeJS.Dict<string>).bun !== undefined;
}

/**
 * Whether the program was compiled into an executable of its own, its runtime included:
 * `deno compile`, `bun build --compile`, Node's single executable applications.
 */
export function isStandalone(): boolean {
  const { deno, bun } = process.versions as NodeJS.Dict<string>;
  if (deno !== undefined) return Reflect.get(globalThis, "Deno").build.standalone === true;
  if (bun !== undefined) return Reflect.get(globalThis, "Bun").isStandaloneExecutable === true;
  return process.getBuiltinModule("node:sea").isSea();
}
