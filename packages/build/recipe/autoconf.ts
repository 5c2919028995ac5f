/**
 * Making `configure` of `configure.ac`, where a source comes without.
 *
 * @module
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DownloadError } from "../store/download.ts";
import type { SourceContext } from "../types.ts";
import { findProgram, runTool } from "../toolchain/shell.ts";

/** What autoconf needs of it. */
type AutoconfContext = Pick<SourceContext, "temporary" | "environment" | "debian" | "signal">;

/**
 * Autoconf and what of its dependencies it uses: a minimal Debian has part of perl only, and an old
 * m4 has a library for its stack. The C library is the machine's.
 */
const PACKAGES = /^(autoconf|m4|libsigsegv2|perl|perl-base|perl-modules-.*|libperl\d.*)$/;

/** Where autoconf's own files are in its package. */
const SHARED = "usr/share/autoconf";

/**
 * Runs autoconf in a directory: the one on the path, else one out of Debian's packages, which are
 * unpacked for that and removed.
 *
 * @returns Which one, in a few words.
 * @throws {DownloadError} when it is missing and cannot be fetched.
 * @throws {BuildError} when it fails.
 */
export async function runAutoconf(directory: string, context: AutoconfContext): Promise<string> {
  if ((await findProgram("autoconf", context.environment)) !== null) {
    await run(["autoconf"], directory, context, {});
    return "the autoconf on the path";
  }
  const { debian, temporary } = context;
  if (debian === null) {
    throw new DownloadError(
      "it has no configure, there is no autoconf on the path, and Debian's packages are left out, " +
        "as asked",
    );
  }
  const root = join(temporary, "autoconf");
  try {
    await debian.unpack("autoconf", PACKAGES, root);
    await runUnpacked(root, directory, context);
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    throw new DownloadError(
      `it has no configure, there is no autoconf on the path, and of Debian's: ${error.message}`,
      { cause: error },
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return "autoconf out of Debian's packages";
}

/** The programs have the path of their installation built in; these options replace it. */
async function runUnpacked(
  root: string,
  directory: string,
  context: AutoconfContext,
): Promise<void> {
  const perl = join(root, "usr/bin/perl");
  const asked = await run([perl, "-e", 'print join "\\n", @INC'], directory, context, {});
  const modules = asked.split("\n").map((path) => join(root, path)).filter(existsSync);
  const shared = join(root, SHARED);
  await run(
    [
      perl,
      join(root, "usr/bin/autom4te"),
      `--prepend-include=${shared}`,
      "--language=autoconf",
      "--output=configure",
      "configure.ac",
    ],
    directory,
    context,
    {
      PERL5LIB: modules.join(":"),
      autom4te_perllibdir: shared,
      AC_MACRODIR: shared,
      M4: join(root, "usr/bin/m4"),
      // Of the packages' own libraries only those that are unpacked: the C library is not.
      LD_LIBRARY_PATH: readdirSync(join(root, "usr/lib")).map((name) => join(root, "usr/lib", name))
        .join(":"),
      // No settings of the user's.
      HOME: root,
    },
  );
}

async function run(
  command: readonly string[],
  cwd: string,
  context: AutoconfContext,
  variables: Readonly<Record<string, string>>,
): Promise<string> {
  return await runTool(command, {
    cwd,
    environment: { ...context.environment, TMPDIR: context.temporary, ...variables },
    signal: context.signal,
    action: "make jemalloc's configure",
  });
}
