/**
 * The table of a release's hashes: what goes into the platform packages, as the source text of
 * `lib/library/release-hashes.ts`. As a program it writes that file, for JSR:
 * `npm run release:hashes`, and `-- --empty` puts the checkout's empty one back.
 *
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Command } from "commander";
import {
  buildDirectory,
  libraryFileName,
  manifestFileName,
  packagedFile,
} from "../../lib/library/directories.ts";
import { librariesOf, type LibraryManifest } from "../../lib/library/manifest.ts";
import type { ReleaseHashes } from "../../lib/library/release-hashes.ts";
import { type ReleaseTarget, TARGETS } from "../../lib/library/targets.ts";
import { sha256File } from "../../packages/build/store/hashes.ts";
import { ROOT } from "../../tools/paths.ts";

/** The module's path, below the root of a checkout. */
export const RELEASE_HASHES_FILE = "lib/library/release-hashes.ts";

/**
 * The hashes of the libraries that were built for these targets, and of their manifests.
 *
 * @param root The checkout, whose `build/native/<target>/<variant>/` is read.
 * @throws {Error} when a library or its manifest is missing, or the two do not agree.
 */
export function releaseHashes(
  root: string,
  targets: readonly ReleaseTarget[] = TARGETS,
): ReleaseHashes {
  return Object.fromEntries(targets.map((target) => [target.name, hashesOf(root, target)]));
}

function hashesOf(root: string, target: ReleaseTarget): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const variant of target.variants) {
    const directory = buildDirectory(root, target.name, variant);
    for (const name of librariesOf(variant)) {
      const library = libraryFileName(name, target.platform);
      const manifest = manifestFileName(name, target.platform);
      hashes[packagedFile(library, variant)] = checkedHash(directory, library, manifest);
      hashes[packagedFile(manifest, variant)] = sha256File(join(directory, manifest));
    }
  }
  return hashes;
}

/** A library's hash, which its manifest has to say, too. */
function checkedHash(directory: string, library: string, manifest: string): string {
  const path = join(directory, library);
  for (const each of [path, join(directory, manifest)]) {
    if (existsSync(each)) continue;
    throw new Error(
      `Cannot release: "${each}" is not built. Build it with "npm run build:native -- --target all".`,
    );
  }
  const hash = sha256File(path);
  const said: LibraryManifest = JSON.parse(readFileSync(join(directory, manifest), "utf8"));
  if (said.sha256 === hash) return hash;
  throw new Error(
    `Cannot release "${path}": its sha256 is ${hash}, but its manifest says ${said.sha256}. ` +
      'Build it again with "npm run build:native -- --target all --force".',
  );
}

const LINE_WIDTH = 100;

function formatRow(file: string, hash: string): string {
  const line = `    "${file}": "${hash}",\n`;
  return line.length - 1 <= LINE_WIDTH ? line : `    "${file}":\n      "${hash}",\n`;
}

/** The source text of the module that has these hashes, as `deno fmt` leaves it. */
export function releaseHashesSource(hashes: ReleaseHashes): string {
  const rows = Object.entries(hashes).map(([target, files]) => {
    const lines = Object.entries(files).map(([file, hash]) => formatRow(file, hash));
    return `  "${target}": {\n${lines.join("")}  },\n`;
  });
  const table = rows.length === 0 ? "{}" : `{\n${rows.join("")}}`;
  return `/**
 * What the platform packages of this release hold, by sha256. It is empty in a checkout: the
 * release build rewrites this file (\`scripts/npm/release-hashes.ts\`), in the npm package and on
 * JSR alike, so that the main package's own signature covers every library.
 *
 * @module
 */

/** For each target, the sha256 of each library and manifest by its path within the package. */
export type ReleaseHashes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The table; without a row, as in a checkout, a library's manifest is all that it must agree with. */
export const RELEASE_HASHES: ReleaseHashes = ${table};
`;
}

/** Writes the module of a checkout or a copy. */
export function writeReleaseHashes(root: string, hashes: ReleaseHashes): void {
  writeFileSync(join(root, RELEASE_HASHES_FILE), releaseHashesSource(hashes));
}

if (import.meta.main) {
  const { empty = false } = new Command("npm run release:hashes --")
    .description("Writes the table of a release's hashes.")
    .option("--empty", "the checkout's empty table")
    .parse().opts<{ empty?: boolean }>();
  try {
    writeReleaseHashes(ROOT, empty ? {} : releaseHashes(ROOT));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
