/**
 * Hashes of files and directories.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** The sha256 of bytes or text, in hexadecimal. */
export function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

/** The sha256 of a file, in hexadecimal. */
export function sha256File(path: string): string {
  return sha256(readFileSync(path));
}

/** A repository, which is a file in a worktree, and what builds leave in a source directory. */
const IGNORED: readonly string[] = [".git", "out", "build"];

/** Whether what a source directory has at a path is part of the source. */
export function isSource(path: string): boolean {
  return !IGNORED.includes(basename(path));
}

/** A hash over the names and contents of a source directory's files. */
export function hashDirectory(directory: string): string {
  const hash = createHash("sha256");
  const visit = (relative: string): void => {
    const entries = readdirSync(join(directory, relative), { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries.filter(({ name }) => isSource(name))) {
      const path = join(relative, entry.name);
      if (entry.isDirectory()) visit(path);
      if (entry.isFile()) hash.update(`${path}\0${sha256File(join(directory, path))}\n`);
    }
  };
  visit("");
  return hash.digest("hex");
}
