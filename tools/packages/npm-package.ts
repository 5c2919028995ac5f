/**
 * Packages of the npm registry that scripts need and `npm ci` does not install: runtimes for other
 * platforms, and older ones. Each is pinned by its integrity, fetched once by npm, and kept below
 * `build/packages`.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../paths.ts";
import pinned from "./packages.json" with { type: "json" };

/** A pinned package. */
export interface PinnedPackage {
  /** Its name in the registry. */
  readonly name: string;
  /** Its exact version. */
  readonly version: string;
  /** The registry's integrity of its archive, `sha512-` and base64. */
  readonly integrity: string;
}

/** Every package that may be fetched. */
export const PINNED_PACKAGES: readonly PinnedPackage[] = pinned;

/**
 * The directory of an unpacked pinned package; fetches it first when it is not there.
 *
 * @param name Its name.
 * @param version Its exact version.
 * @returns The package's directory, which has its `package.json`.
 * @throws {RangeError} for a package that is not pinned.
 * @throws {Error} when the registry cannot be reached, or what it gave is not what is pinned.
 */
export function pinnedPackage(name: string, version: string): string {
  const pin = PINNED_PACKAGES.find((row) => row.name === name && row.version === version);
  if (pin === undefined) {
    throw new RangeError(
      `Cannot fetch ${name}@${version}: it must be one of tools/packages/packages.json`,
    );
  }
  const store = join(ROOT, "build", "packages");
  const directory = join(store, `${name.replaceAll("/", "+")}@${version}`);
  if (existsSync(directory)) return directory;
  mkdirSync(store, { recursive: true });
  const temporary = mkdtempSync(join(store, ".fetching-"));
  try {
    const archive = pack(pin, temporary);
    check(pin, archive);
    run("tar", ["-xzf", archive, "-C", temporary], `unpack ${name}@${version}`);
    rmSync(archive);
    // Archives hold one directory, most often "package".
    const [unpacked] = readdirSync(temporary);
    if (unpacked === undefined) throw new Error(`Cannot unpack ${name}@${version}: it is empty`);
    if (!existsSync(directory)) renameSync(join(temporary, unpacked), directory);
    return directory;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function pack(pin: PinnedPackage, directory: string): string {
  const words = [
    "pack",
    `${pin.name}@${pin.version}`,
    "--pack-destination",
    directory,
    "--ignore-scripts",
  ];
  const npm = process.env["npm_execpath"];
  const action = `fetch ${pin.name}@${pin.version} from the npm registry`;
  if (npm === undefined) run("npm", words, action);
  else run(process.env["npm_node_execpath"] ?? process.execPath, [npm, ...words], action);
  const archive = readdirSync(directory).find((file) => file.endsWith(".tgz"));
  if (archive === undefined) throw new Error(`Cannot ${action}: npm left no archive`);
  return join(directory, archive);
}

function check(pin: PinnedPackage, archive: string): void {
  const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (found === pin.integrity) return;
  throw new Error(
    `Cannot use ${pin.name}@${pin.version}: its integrity is ${found}, but ${pin.integrity} is ` +
      "pinned in tools/packages/packages.json. Do not use what the registry gave.",
  );
}

function run(command: string, words: readonly string[], action: string): void {
  const { status, stderr, error } = spawnSync(command, words, {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    shell: command === "npm" && process.platform === "win32",
  });
  if (status === 0) return;
  throw new Error(
    `Cannot ${action}: ${error?.message ?? stderr.trim().split("\n").slice(-5).join("\n  ")}`,
  );
}
