/**
 * Refusing what cannot be run under a preloaded allocator.
 *
 * @module
 */
import { statSync } from "node:fs";
import { LaunchError } from "../errors.ts";
import { noexecMount } from "../system/noexec.ts";
import { FORMATS } from "./formats.ts";
import type { LibcName } from "../library/target.ts";
import type { Launch, PreloadLibrary, ProcessIdentity } from "./types.ts";

/**
 * Reads a library that is to be preloaded into a program. Static TLS is fine here: space for it is
 * reserved when the program starts.
 *
 * @param path The library.
 * @param launch What it is to be preloaded into.
 * @param libc The C library that the library's manifest names, for one that does not say itself.
 * @throws {LaunchError} status 125, with what is wrong and what to do.
 */
export function readPreloadLibrary(
  path: string,
  launch: Launch,
  libc: LibcName | null = null,
): PreloadLibrary {
  const library = FORMATS[launch.program.format].readLibrary(path, libc);
  requireLoadable(path);
  return library;
}

/** The dynamic linker would pass over a library that it cannot map, offheap's shim included. */
function requireLoadable(path: string): void {
  const mount = noexecMount(path, statSync(path, { bigint: true }).dev);
  if (mount === null) return;
  throw new LaunchError(
    `Cannot preload "${path}": nothing can be loaded from there, as "${mount}" is mounted with ` +
      "noexec. Put offheap on another file system, or have that one mounted with exec.",
  );
}

/**
 * Checks that a launch can be run under preloaded libraries: every rule, for every program on the
 * way, once, and for each library where the rule is about it.
 *
 * @param launch What is to be run.
 * @param libraries At least one, as {@linkcode readPreloadLibrary} read them.
 * @param identity Whom this process runs as, from {@linkcode currentIdentity}.
 * @throws {LaunchError} status 125 for the first rule that refuses, 127 for a program whose dynamic
 * linker does not exist.
 */
export function checkLaunch(
  launch: Launch,
  libraries: readonly PreloadLibrary[],
  identity: ProcessIdentity,
): void {
  for (const step of launch.chain) {
    if (step.kind !== "program") continue;
    const called = step === launch.chain[0] ? "it" : `"${step.path}", which runs it,`;
    for (const rule of FORMATS[step.program.format].rules) {
      for (const library of rule.about === "library" ? libraries : libraries.slice(0, 1)) {
        const refusal = rule.refusal({ program: step.program, called, library, identity });
        if (refusal === null) continue;
        const name = step === launch.chain[0] ? step.path : launch.chain[0]?.path ?? launch.command;
        throw new LaunchError(
          `Cannot run "${name}" under "${library.path}": ${refusal}`,
          rule.status,
        );
      }
    }
  }
}
