/**
 * What goes into the published packages.
 *
 * @module
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { ROOT } from "../../tools/paths.ts";

/** The sources of both packages: what their entries can reach. */
export const SOURCE_PARTS: readonly string[] = ["mod.ts", "ffi", "lib", "packages/build"];

/** The C sources, from which `@offheap/build` makes the shim. */
export const NATIVE_SOURCES = "ffi/native";

/** The texts that each package has besides, as they are. */
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
 * @throws {Error} when it is missing: a package must not go without.
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

/** Comments that have lines of their own; nothing else of ours begins a line like that. */
const COMMENTS = /^[ \t]*(?:\/\*\*[\s\S]*?\*\/|\/\/.*)$/gm;

/**
 * Empties the comments, a third of what would be packed: the declarations repeat those that users
 * read. The lines stay, as the source map counts them.
 */
function withoutComments(text: string): string {
  return text.replace(COMMENTS, (comment) => comment.replace(/[^\n]/g, ""));
}

/** Empties the comments of the files below a directory that `from` names. */
export function dropComments(directory: string, from: (path: string) => boolean): void {
  for (const path of listFiles(directory).filter(from)) {
    const file = join(directory, path);
    writeFileSync(file, withoutComments(readFileSync(file, "utf8")));
  }
}

/**
 * Removes the files that an entry does not lead to.
 *
 * @param imports What a file imports: the specifier without its extension is the first group.
 */
export function keepReachable(directory: string, entry: string, imports: RegExp): void {
  const extension = entry.slice(entry.indexOf("."));
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    const text = readFileSync(join(directory, path), "utf8");
    for (const [, specifier = ""] of text.matchAll(imports)) {
      const next = posix.join(posix.dirname(path), specifier + extension);
      // An example in a comment names a module as its reader would.
      if (existsSync(join(directory, next))) visit(next);
    }
  };
  visit(entry);
  for (const path of listFiles(directory)) {
    if (!reached.has(path)) rmSync(join(directory, path));
  }
  removeEmptyDirectories(directory);
}

function removeEmptyDirectories(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    removeEmptyDirectories(path);
    if (readdirSync(path).length === 0) rmdirSync(path);
  }
}
