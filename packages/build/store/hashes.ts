/**
 * Hashes of files and directories.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The sha256 of bytes or text, in hexadecimal. */
export function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

/** The sha256 of a file, in hexadecimal. */
export function sha256File(path: string): string {
  return sha256(readFileSync(path));
}

const IGNORED_DIRECTORIES: readonly string[] = [".git", "out", "build"];

/** A hash over the names and contents of a source directory's files. */
export function hashDirectory(directory: string): string {
  const hash = createHash("sha256");
  const visit = (relative: string): void => {
    const entries = readdirSync(join(directory, relative), { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = join(relative, entry.name);
      if (entry.isDirectory() && !IGNORED_DIRECTORIES.includes(entry.name)) visit(path);
      if (entry.isFile()) hash.update(`${path}\0${sha256File(join(directory, path))}\n`);
    }
  };
  visit("");
  return hash.digest("hex");
}
