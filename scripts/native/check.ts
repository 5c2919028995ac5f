/**
 * What a library has to be, checked after linking.
 *
 * @module
 */
import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type ElfFile, readElf, readElfExports } from "../../lib/binary/elf.ts";
import { BuildError } from "../../lib/errors.ts";
import type { LibraryName } from "../../lib/library/manifest.ts";
import type { Target } from "../../lib/library/target.ts";

const PROBE_SECONDS = 30;

interface Property {
  readonly holds: (file: ElfFile, target: Target) => boolean;
  readonly sentence: string;
}

const PROPERTIES: readonly Property[] = [
  { holds: (file) => file.type === "shared", sentence: "it is not a shared library" },
  { holds: (file, target) => file.arch === target.arch, sentence: "it is for another processor" },
  { holds: (file) => !file.staticTls, sentence: "it uses static TLS, so opening it may fail" },
  { holds: (file) => file.noDelete, sentence: "it is not marked NODELETE" },
  { holds: (file) => file.bindNow, sentence: "its symbols are not bound when it is loaded" },
  { holds: (file) => file.symbolic, sentence: "it is not linked with -Bsymbolic" },
];

/**
 * Asserts an ELF library's properties and its export table.
 *
 * @returns The names of its exports, sorted.
 * @throws {BuildError} with all that is wrong.
 */
export function checkElfLibrary(
  path: string,
  target: Target,
  required: readonly string[],
  optional: readonly string[],
): string[] {
  const file = readElf(path);
  const problems = PROPERTIES
    .filter((property) => !property.holds(file, target))
    .map((property) => property.sentence);
  const exports = readElfExports(path).map((symbol) => symbol.name);
  const missing = required.filter((name) => !exports.includes(name));
  const leaked = exports.filter((name) => !required.includes(name) && !optional.includes(name));
  if (missing.length > 0) problems.push(`it does not export ${missing.join(", ")}`);
  if (leaked.length > 0) problems.push(`it exports besides ${leaked.join(", ")}`);
  if (problems.length === 0) return exports;
  throw new BuildError(`Cannot use the library that was built, "${path}": ${problems.join("; ")}.`);
}

/** The probe, compiled where this file is: bundled, too, it is two directories up and down again. */
function probePath(): string {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  return fileURLToPath(new URL(`../../scripts/native/probe${extension}`, import.meta.url));
}

/**
 * Loads a library in a fresh process of this runtime, and asks it for its version.
 *
 * @throws {BuildError} when it does not load, or answers another version.
 */
export async function checkLoads(path: string, name: LibraryName, version: string): Promise<void> {
  const answer = await new Promise<string>((done, failed) => {
    const options = { encoding: "utf8", timeout: PROBE_SECONDS * 1000 } as const;
    execFile(process.execPath, [probePath(), path, name], options, (error, stdout, stderr) => {
      if (error === null) return done(stdout.trim().split("\n").at(-1) ?? "");
      const said = stderr.trim().split("\n").slice(-5).join("\n  ");
      failed(
        new BuildError(
          `Cannot use the library that was built, "${path}": a fresh process could not load it ` +
            `and ask for its version (${error.signal ?? error.code}).\n  ${said}`,
          { cause: error },
        ),
      );
    });
  });
  if (answer === version) return;
  throw new BuildError(
    `Cannot use the library that was built, "${path}": it answers version ${answer}, but its ` +
      `source is ${version}.`,
  );
}
