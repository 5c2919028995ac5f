/**
 * What a library has to be, checked after linking.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { BuildError, OffheapError } from "../../../lib/errors.ts";
import type { Target } from "../../../lib/library/target.ts";
import { maxBytes, unavailableLibraries } from "./limits.ts";
import { type Expectation, type Findings, FORMATS, type LibraryFormat } from "./rules.ts";

export type { Expectation } from "./rules.ts";

const PROBE_SECONDS = 30;

/**
 * Asserts what a library has to be, by reading its file: the format's rules, its exports, the
 * libraries that it needs, its size.
 *
 * @returns The names of its exports, sorted.
 * @throws {BuildError} with all that is wrong, in one sentence.
 */
export function checkLibrary(path: string, target: Target, expectation: Expectation): string[] {
  if (!existsSync(path)) throw unusable(path, ["the compiler ended well and left no file"]);
  const format = FORMATS[target.platform];
  if (format === undefined) throw unusable(path, [`no check is known for ${target.name}`]);
  const { exports, needed, problems } = examine(format, path, target, expectation);
  const { required, optional } = expectation;
  const allowed = new Set([...required, ...optional, ...format.linkerNames]);
  const present = new Set(exports);
  const lists = [
    ["it does not export", required.filter((name) => !present.has(name))],
    ["it exports besides", exports.filter((name) => !allowed.has(name))],
    ["it needs besides", unavailableLibraries(target, needed, expectation.needed ?? [])],
  ] as const;
  const found = [
    ...problems,
    ...lists.filter(([, names]) => names.length > 0)
      .map(([clause, names]) => `${clause} ${names.join(", ")}`),
    ...oversize(path, expectation),
  ];
  if (found.length > 0) throw unusable(path, found);
  return [...exports];
}

function examine(
  format: LibraryFormat,
  path: string,
  target: Target,
  expectation: Expectation,
): Findings {
  try {
    return format.examine(path, target, expectation);
  } catch (error) {
    if (!(error instanceof OffheapError)) throw error;
    throw new BuildError(`Cannot use the library that was built. ${error.message}`, {
      cause: error,
    });
  }
}

function oversize(path: string, { name, variant }: Expectation): string[] {
  const most = maxBytes(name, variant);
  const { size } = statSync(path);
  return most === null || size <= most ? [] : [`it has ${size} bytes, more than ${most}`];
}

function unusable(path: string, problems: readonly string[]): BuildError {
  return new BuildError(
    `Cannot use the library that was built, "${path}": ${problems.join("; ")}.`,
  );
}

/** The probe, compiled where this file is: bundled, too, it is two directories up and down again. */
function probePath(): string {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
  return fileURLToPath(new URL(`./probe${extension}`, import.meta.url));
}

/**
 * Loads a library in a fresh process of this runtime, as its variant is meant to be loaded, and asks
 * it for its version.
 *
 * @throws {BuildError} when it does not load, or answers another version.
 */
export async function checkLoads(
  path: string,
  { name, variant }: Pick<Expectation, "name" | "variant">,
  version: string,
): Promise<void> {
  const answer = await new Promise<string>((done, failed) => {
    const options = {
      encoding: "utf8",
      timeout: PROBE_SECONDS * 1000,
      // By a relative path: the variable cannot hold a space, which the absolute one may have.
      cwd: dirname(path),
      env: variant === "preload"
        ? { ...process.env, LD_PRELOAD: `./${basename(path)}` }
        : process.env,
    } as const;
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
