/**
 * A release's version, in every file that has it.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { releaseChangelog } from "./changelog.ts";

const PARTS = ["major", "minor", "patch"] as const;
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;

/**
 * The version that follows another.
 *
 * @param asked `patch`, `minor`, `major`, or the version itself.
 * @throws {RangeError} when it is another word, or lower than the present one.
 */
export function nextVersion(current: string, asked: string): string {
  const numbers = VERSION.exec(current)?.slice(1).map(Number) ?? [];
  const part = PARTS.findIndex((name) => name === asked);
  if (part >= 0) {
    return numbers.map((number, index) => index < part ? number : index === part ? number + 1 : 0)
      .join(".");
  }
  const wanted = VERSION.exec(asked)?.slice(1).map(Number);
  if (wanted === undefined) {
    throw new RangeError(
      `Cannot bump the version: it must be patch, minor, major or x.y.z; got "${asked}"`,
    );
  }
  const change = wanted.findIndex((number, index) => number !== numbers[index]);
  if (change >= 0 && (wanted[change] ?? 0) < (numbers[change] ?? 0)) {
    throw new RangeError(`Cannot bump the version: it must be above ${current}; got "${asked}"`);
  }
  return wanted.join(".");
}

interface VersionedFile {
  readonly path: string;
  /** What comes before the version, wherever it has to be changed. */
  readonly before: RegExp;
  /** How often. */
  readonly count: number;
}

const FILES: readonly VersionedFile[] = [
  { path: "package.json", before: /^ {2}"version": "/gm, count: 1 },
  { path: "packages/build/package.json", before: /^ {2}"version": "/gm, count: 1 },
  // Once for the lock file, once each for the root and the build among its packages.
  {
    path: "package-lock.json",
    before:
      /(?<=^\{\n {2}"name": "[^"]*",\n|^ {4}"(?:packages\/build)?": \{\n {6}"name": "[^"]*",\n)\s*"version": "/gm,
    count: 3,
  },
  { path: "deno.json", before: /^ {2}"version": "/gm, count: 1 },
  { path: "lib/version.ts", before: /^export const VERSION = "/gm, count: 1 },
];

/** The files that a bump changes. */
export const BUMPED_FILES: readonly string[] = [...FILES.map(({ path }) => path), "CHANGELOG.md"];

function replaceVersion(file: VersionedFile, text: string, from: string, to: string): string {
  let count = 0;
  const pattern = new RegExp(`(${file.before.source})${from.replaceAll(".", "\\.")}"`, "gm");
  const changed = text.replace(pattern, (_, before: string) => {
    count++;
    return `${before}${to}"`;
  });
  if (count === file.count) return changed;
  throw new Error(
    `Cannot bump the version: ${file.path} must have ${from} in ${file.count} place(s); it has it ` +
      `in ${count}`,
  );
}

/** A tree with changes would mix them into the release's commit. */
function requireClean(root: string): void {
  const changes = execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" });
  if (changes === "") return;
  throw new Error(`Cannot bump the version: commit or stash these changes first:\n${changes}`);
}

/**
 * Writes a new version into every file that has it. Nothing is written when one of them is not as
 * it should be.
 *
 * @param asked `patch`, `minor`, `major`, or the version.
 * @param date The day of the release, as `2026-01-31`.
 * @returns The new version.
 * @throws {Error} when the tree has changes, or the changelog has none.
 */
export function bumpVersion(root: string, asked: string, date: string): string {
  requireClean(root);
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const current = String(JSON.parse(read("package.json")).version);
  const version = nextVersion(current, asked);
  const changed = FILES.map((file): [string, string] => [
    file.path,
    replaceVersion(file, read(file.path), current, version),
  ]);
  changed.push(["CHANGELOG.md", releaseChangelog(read("CHANGELOG.md"), version, date)]);
  for (const [path, text] of changed) writeFileSync(join(root, path), text);
  return version;
}
