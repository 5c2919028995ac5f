/**
 * Building for every target with zig, which brings each system's headers and libraries along.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, delimiter, dirname, isAbsolute, join } from "node:path";
import process from "node:process";
import { BuildError } from "../../../lib/errors.ts";
import type { Target } from "../../../lib/library/target.ts";
import { TARGETS } from "../../../lib/library/targets.ts";
import { findProgram, runTool } from "./shell.ts";
import type { CrossTarget, Toolchain } from "../types.ts";

const CROSS_TARGETS: Readonly<Record<string, CrossTarget>> = {
  "linux-x64-gnu": { zig: "x86_64-linux-gnu.2.17", host: "x86_64-linux-gnu" },
  "linux-arm64-gnu": { zig: "aarch64-linux-gnu.2.17", host: "aarch64-linux-gnu" },
  "linux-x64-musl": { zig: "x86_64-linux-musl", host: "x86_64-linux-musl" },
  "linux-arm64-musl": { zig: "aarch64-linux-musl", host: "aarch64-linux-musl" },
  "darwin-arm64": { zig: "aarch64-macos", host: "aarch64-apple-darwin" },
  "darwin-x64": { zig: "x86_64-macos", host: "x86_64-apple-darwin" },
  "win32-x64": { zig: "x86_64-windows-gnu", host: "x86_64-w64-mingw32" },
  "win32-arm64": { zig: "aarch64-windows-gnu", host: "aarch64-w64-mingw32" },
  "freebsd-x64": { zig: "x86_64-freebsd", host: "x86_64-unknown-freebsd" },
};

/** The oldest glibc that a library built by zig may ask for, as in {@linkcode CROSS_TARGETS}. */
export const GLIBC_FLOOR = "2.17";

const VERSION_PREFIX = "zig ";

/** The series of zig that the targets are built with: others lack some, or make other bytes. */
const ZIG_SERIES = "0.16.";

/** Whether a manifest's compiler is zig. */
export function isZig(compiler: string): boolean {
  return compiler.startsWith(VERSION_PREFIX);
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A zig that was found. */
export interface Zig {
  /** The program. */
  readonly path: string;
  /** Its version line. */
  readonly version: string;
}

/** The zig of the npm packages, which is a development dependency; `null` when it is not there. */
function packagedZig(): string | null {
  if (!import.meta.url.startsWith("file:")) return null;
  const name = `@zigc/${process.platform}-${process.arch}/package.json`;
  const program = process.platform === "win32" ? "zig.exe" : "zig";
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), "bin", program);
  } catch {
    // It is optional: not built for this machine, or not installed.
    return null;
  }
}

/** The environment variable that names zig's program. */
const ZIG_VARIABLE = "OFFHEAP_ZIG";

/** npm puts the links of packages in front of the path: what the user put there comes first here. */
function withoutLinks(path: string): string {
  const own = path.split(delimiter).filter((entry) =>
    !/[\\/]node_modules[\\/]\.bin[\\/]?$/.test(entry)
  );
  return own.join(delimiter);
}

/** The zig that `OFFHEAP_ZIG` names. */
function namedZig(environment: Environment): string | null {
  const path = environment[ZIG_VARIABLE] ?? "";
  if (path === "") return null;
  if (isAbsolute(path) && /^zig(\.exe)?$/.test(basename(path)) && existsSync(path)) return path;
  throw new BuildError(
    `Cannot build with the zig that ${ZIG_VARIABLE} names, ${
      JSON.stringify(path)
    }: it must be the ` +
      "absolute path of a program called zig that exists.",
  );
}

/**
 * The zig that `OFFHEAP_ZIG` names, else the one on the path, else that of the npm packages; `null`
 * without any.
 *
 * @throws {BuildError} when the variable names none, or zig does not run.
 */
export async function findZig(environment: Environment): Promise<Zig | null> {
  const path = { ...environment, PATH: withoutLinks(environment["PATH"] ?? "") };
  const program = namedZig(environment) ?? (await findProgram("zig", path)) ?? packagedZig();
  if (program === null) return null;
  const printed = await runTool([program, "version"], {
    cwd: "/",
    environment,
    action: "ask zig for its version",
  });
  const version = printed.trim();
  if (version.startsWith(ZIG_SERIES)) return { path: program, version: VERSION_PREFIX + version };
  throw new BuildError(
    `Cannot build with "${program}": it is zig ${version}, and zig ${ZIG_SERIES}x is needed. Name ` +
      `one with ${ZIG_VARIABLE}, or take it off the path: the npm packages have one.`,
  );
}

/** The error for a machine without zig. */
export function missingZig(): BuildError {
  return new BuildError(
    `Cannot build for a named target: ${ZIG_VARIABLE} is not set, there is no zig on the path, and ` +
      `no package @zigc/${process.platform}-${process.arch} beside this script. Install zig 0.16, ` +
      "or build for this machine alone, without --target.",
  );
}

/**
 * Zig as the compiler for a target.
 *
 * @param cache Where zig keeps what it made before.
 */
export function zigToolchain(zig: Zig, target: Target, cache: string, path: string): Toolchain {
  const cross = CROSS_TARGETS[target.name];
  if (cross === undefined) {
    throw new BuildError(
      `Cannot build for "${target.name}": no options of zig's are known for it.`,
    );
  }
  return {
    // By its name: configure and make take a command apart at its spaces.
    compiler: ["zig", "cc", "-target", cross.zig],
    version: zig.version,
    cross,
    environment: {
      PATH: `${dirname(zig.path)}${delimiter}${path}`,
      ZIG_GLOBAL_CACHE_DIR: cache,
      ZIG_LOCAL_CACHE_DIR: cache,
    },
  };
}

/**
 * The targets that a name means: all of them, or one.
 *
 * @throws {BuildError} for an unknown name; the message lists the known ones.
 */
export function targetsFor(name: string): readonly (typeof TARGETS)[number][] {
  const found = name === "all" ? TARGETS : TARGETS.filter((target) => target.name === name);
  if (found.length > 0) return found;
  throw new BuildError(
    `Cannot build for ${JSON.stringify(name)}: the target must be all or one of ` +
      `${TARGETS.map((target) => target.name).join(", ")}.`,
  );
}
