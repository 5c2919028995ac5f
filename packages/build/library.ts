/**
 * Building one library, from its source to its place.
 *
 * @module
 */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { BuildError } from "../../lib/errors.ts";
import { libraryFileName } from "../../lib/library/directories.ts";
import type { LibraryManifest } from "../../lib/library/manifest.ts";
import { hostTarget } from "../../lib/library/target.ts";
import { checkLibrary, checkLoads } from "./check/library.ts";
import { GLIBC_FLOOR } from "./toolchain/zig.ts";
import { sha256File } from "./store/hashes.ts";
import { hashInputs } from "./plan/inputs.ts";
import { HOST_COMPILER_LIBRARIES } from "./check/limits.ts";
import { install } from "./store/output.ts";
import { runTool } from "./toolchain/shell.ts";
import type { BuildContext, BuildResult, Recipe, Source, Toolchain, VariantPlan } from "./types.ts";
import { unpack } from "./store/unpack.ts";

/** Where, how and by what a library is built. */
export interface LibraryPlace {
  /** The variant that it belongs to. */
  readonly plan: VariantPlan;
  /** The compiler. */
  readonly toolchain: Toolchain;
  /** A directory on the same disk, removed after the build. */
  readonly temporary: string;
  /** A directory that the variants of one target share; `null` without. */
  readonly shared: string | null;
}

/**
 * Builds one library, checks it, and moves it into place.
 *
 * @throws {BuildError} when a step fails; nothing is moved then.
 */
export async function buildLibrary(
  recipe: Recipe,
  source: Source,
  { plan, toolchain, temporary, shared }: LibraryPlace,
  { environment, signal, progress }: BuildContext,
): Promise<BuildResult> {
  const { target, variant, outDirectory } = plan;
  const work = join(temporary, recipe.name);
  mkdirSync(work, { recursive: true });
  const id = { name: recipe.name, target: target.name, variant };
  progress.step(id, "unpack");
  const directory = await unpack(source.path, join(work, "source"), environment, signal);
  const version = recipe.version(directory);
  if (source.version !== "" && source.version !== version) {
    throw new BuildError(
      `Cannot build ${recipe.name}: the source "${source.name}" is version ${version}, but ` +
        `${source.version} was asked for.`,
    );
  }
  const exports = recipe.exports(target, variant);
  const output = join(work, libraryFileName(recipe.name, target.platform));
  progress.step(id, "compile");
  const { features } = await recipe.compile({
    variant,
    target,
    toolchain,
    directory,
    exports,
    shared,
    output,
    run: (command, extra) =>
      runTool(command, {
        cwd: directory,
        environment: { ...environment, ...extra },
        signal,
        action: `build ${recipe.name} ${version}`,
      }),
  });
  progress.step(id, "check");
  const cross = toolchain.cross !== null;
  const exported = checkLibrary(output, target, {
    name: recipe.name,
    variant,
    ...exports,
    // This machine's compiler links with this machine's C library.
    glibcFloor: cross ? GLIBC_FLOOR : null,
    needed: cross ? [] : HOST_COMPILER_LIBRARIES,
  });
  if (target.name === hostTarget().name) {
    await checkLoads(output, { name: recipe.name, variant }, version);
  }
  signal?.throwIfAborted();
  const manifest: LibraryManifest = {
    manifestVersion: 1,
    allocator: recipe.name,
    version,
    variant,
    source: { origin: source.origin, name: source.name, sha256: source.sha256 },
    target: target.name,
    libc: target.libc,
    compiler: toolchain.version,
    flags: recipe.flags(variant, target, cross),
    features,
    exports: exported,
    inputs: hashInputs({
      recipe,
      identity: source.identity,
      variant,
      target,
      compiler: toolchain.version,
    }),
    bytes: statSync(output).size,
    sha256: sha256File(output),
  };
  const path = install(outDirectory, output, manifest, target.platform);
  const reason = `${recipe.name} ${version} ${source.reason}`;
  return { ...id, version, path, outcome: "built", reason, manifest };
}
