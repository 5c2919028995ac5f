/**
 * What goes into the published packages.
 *
 * @module
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { ROOT } from "../../tools/runtimes.ts";

/** The sources of the main package: what its two entries, mod.ts and lib/cli.ts, can reach. */
export const SOURCE_PARTS: readonly string[] = ["mod.ts", "ffi", "lib", "packages/build"];

/** The C sources, from which `offheap build` makes the shim. */
export const NATIVE_SOURCES = "ffi/native";

/** The texts that the main package has besides, as they are. */
export const TEXTS: readonly string[] = ["LICENSE", "THIRD-PARTY-NOTICES.md"];

/** The files below a directory, with `/` between names, sorted. */
export function listFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .sort();
}

/** Copies files or directories of this checkout, by their paths below its root. */
export function copyParts(parts: readonly string[], directory: string): void {
  for (const part of parts) {
    const place = join(directory, part);
    mkdirSync(dirname(place), { recursive: true });
    cpSync(join(ROOT, part), place, { recursive: true });
  }
}

/** Writes an object as JSON, for people to read unless there is no indentation. */
export function writeJson(path: string, value: unknown, indentation = 2): void {
  writeFileSync(path, `${JSON.stringify(value, null, indentation)}\n`);
}

/**
 * The licence text of an allocator, as `THIRD-PARTY-NOTICES.md` has it.
 *
 * @throws {Error} when there is none: a package must not go without.
 */
export function licenceText(allocator: string): string {
  const notices = readFileSync(join(ROOT, "THIRD-PARTY-NOTICES.md"), "utf8");
  const section = notices.split(/^## /m).find((text) => text.startsWith(`${allocator}\n`));
  const text = /^```\n(.*?)^```$/ms.exec(section ?? "")?.[1];
  if (text !== undefined) return text;
  throw new Error(
    `Cannot give ${allocator}'s licence: THIRD-PARTY-NOTICES.md must have its text in a code ` +
      `block below "## ${allocator}"`,
  );
}
