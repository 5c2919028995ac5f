/**
 * Finding valgrind: on the path, or Debian's package, which is fetched once and not installed.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { debianRoot } from "../../tools/packages/debian.ts";

/** How valgrind is started. */
export interface Valgrind {
  readonly program: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** Valgrind, or why it cannot be had. */
export type Found = Valgrind | { readonly missing: string };

/** Finds valgrind. */
export function findValgrind(): Found {
  if (spawnSync("valgrind", ["--version"]).status === 0) {
    return { program: "valgrind", variables: {} };
  }
  try {
    const root = debianRoot(["valgrind"]);
    const program = join(root, "usr", "bin", "valgrind");
    const variables = { VALGRIND_LIB: join(root, "usr", "libexec", "valgrind") };
    const { status, stderr, error } = spawnSync(program, ["--version"], {
      encoding: "utf8",
      env: { ...process.env, ...variables },
    });
    if (status === 0) return { program, variables };
    return { missing: `Debian's valgrind does not run: ${error?.message ?? stderr.trim()}` };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}
