/**
 * Finding the compiler and the other programs that a build calls.
 *
 * @module
 */
import { BuildError } from "../../../lib/errors.ts";
import { findProgram, runTool } from "./shell.ts";
import type { Toolchain } from "../types.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const COMPILERS: readonly string[] = ["gcc", "cc", "clang"];

/** What to install for each program, by the way of each system. */
const PACKAGES: Readonly<Record<string, string>> = {
  make: "make",
  tar: "tar",
  xz: "xz-utils (Debian, Ubuntu) or xz (Alpine, Fedora)",
  bzip2: "bzip2",
  gzip: "gzip",
};

/**
 * The C compiler: `CC` of the environment, else gcc, cc or clang.
 *
 * @returns `null` when there is no compiler and `CC` names none.
 * @throws {BuildError} when the one that `CC` names is missing or does not run.
 */
export async function findToolchain(environment: Environment): Promise<Toolchain | null> {
  const chosen = (environment["CC"] ?? "").split(/\s+/).filter((word) => word !== "");
  if (chosen[0] !== undefined && (await findProgram(chosen[0], environment)) === null) {
    throw new BuildError(
      `Cannot build: the compiler "${chosen[0]}" that CC names is not on the path. ` +
        "Install it, or unset CC.",
    );
  }
  const candidates = chosen.length > 0 ? [chosen] : COMPILERS.map((name) => [name]);
  for (const compiler of candidates) {
    const program = await findProgram(compiler[0] ?? "", environment);
    if (program === null) continue;
    const printed = await runTool([...compiler, "--version"], {
      cwd: "/",
      environment: { ...environment },
      action: "ask the compiler for its version",
    });
    const version = printed.split("\n")[0]?.trim() ?? "";
    return { compiler, version, cross: null, environment: {} };
  }
  return null;
}

/** The error for a machine without a C compiler. */
export function missingCompiler(): BuildError {
  return new BuildError(
    `Cannot build: there is no C compiler (${COMPILERS.join(", ")}) on the path. ` +
      "Install gcc (Debian, Ubuntu: apt-get install gcc make libc6-dev; " +
      "Alpine: apk add gcc make musl-dev; Fedora: dnf install gcc make), or set CC.",
  );
}

/**
 * Asserts that programs are there.
 *
 * @throws {BuildError} naming the first that is not, and what to install.
 */
export async function requirePrograms(
  names: readonly string[],
  environment: Environment,
  action: string,
): Promise<void> {
  for (const name of names) {
    if ((await findProgram(name, environment)) !== null) continue;
    throw new BuildError(
      `Cannot ${action}: the program "${name}" is not on the path. ` +
        `Install the package ${PACKAGES[name] ?? name}.`,
    );
  }
}
