/**
 * What a build has to make, and which of it is up to date.
 *
 * @module
 */
import type { BuiltAllocator } from "../../../lib/allocators/mod.ts";
import { join } from "node:path";
import { libraryFileName } from "../../../lib/library/directories.ts";
import { librariesOf, type LibraryManifest, type Variant } from "../../../lib/library/manifest.ts";
import { fetchGiven, fetchPinned } from "../store/fetch.ts";
import { hashDirectory } from "../store/hashes.ts";
import { hashInputs } from "./inputs.ts";
import { JEMALLOC_RECIPE } from "../recipe/jemalloc.ts";
import { MIMALLOC_RECIPE } from "../recipe/mimalloc.ts";
import { readFinished } from "../store/output.ts";
import { ownSources } from "../root.ts";
import { type Pin, pinsFor } from "./pins.ts";
import { SHIM_RECIPE } from "../recipe/shim.ts";
import type {
  BuildOptions,
  BuildResult,
  LibraryPlan,
  Recipe,
  Source,
  VariantPlan,
} from "../types.ts";

/** The quick ones first. */
export const ALLOCATOR_RECIPES: Readonly<Record<BuiltAllocator, Recipe>> = {
  mimalloc: MIMALLOC_RECIPE,
  jemalloc: JEMALLOC_RECIPE,
};

/** The allocators that are asked for, in the order in which they are built. */
export function chosenAllocators(
  allocator: NonNullable<BuildOptions["allocator"]>,
): readonly BuiltAllocator[] {
  return allocator === "all" ? Object.keys(ALLOCATOR_RECIPES) as BuiltAllocator[] : [allocator];
}

/**
 * The libraries that a build's options ask for; the quick ones first.
 *
 * @throws {BuildError} for a version that is not pinned.
 */
export function planBuild(options: BuildOptions): LibraryPlan[] {
  const { allocator = "all", source } = options;
  return [
    planShim(),
    ...chosenAllocators(allocator).map((name) => {
      const recipe = ALLOCATOR_RECIPES[name];
      const version = options[`${name}Version`];
      return source === undefined
        ? planPinned(recipe, pinsFor(name, version))
        : planGiven(recipe, source, version);
    }),
  ];
}

/** Those of the libraries that a variant has. */
export function librariesWith(variant: Variant, all: readonly LibraryPlan[]): LibraryPlan[] {
  return all.filter(({ recipe }) => librariesOf(variant).includes(recipe.name));
}

function planShim(): LibraryPlan {
  const path = ownSources();
  const identity = hashDirectory(path);
  const source: Source = {
    version: "",
    origin: "checkout",
    name: "ffi/native",
    sha256: null,
    path,
    identity,
    reason: "from offheap's own source",
  };
  return { recipe: SHIM_RECIPE, identities: [identity], fetch: () => Promise.resolve(source) };
}

function planPinned(recipe: Recipe, pins: readonly Pin[]): LibraryPlan {
  const archives = pins.flatMap((pin) => [pin.upstream, pin.debian]);
  return {
    recipe,
    identities: archives.flatMap((archive) => archive === undefined ? [] : [archive.sha256]),
    fetch: (context) => fetchPinned(pins, context, recipe.prepare),
  };
}

function planGiven(recipe: Recipe, given: string, version: string | undefined): LibraryPlan {
  return {
    recipe,
    identities: [],
    async fetch(context) {
      const found = await fetchGiven(given, context);
      const source = await recipe.prepare?.(found, context) ?? found;
      if (version === undefined) return source;
      return { ...source, version, identity: `${source.identity} as ${version}` };
    },
  };
}

/** The result for a library that is up to date; `null` when it has to be built. */
export function findCurrent(
  plan: LibraryPlan,
  { outDirectory, variant, target, accepts }: VariantPlan,
  identities: readonly string[] = plan.identities,
): BuildResult | null {
  const { recipe } = plan;
  const manifest = readFinished(outDirectory, recipe.name, target.platform);
  if (manifest === null || !accepts(manifest.compiler)) return null;
  const { compiler } = manifest;
  const index = identities.findIndex((identity) =>
    hashInputs({ recipe, identity, variant, target, compiler }) === manifest.inputs
  );
  if (index < 0) return null;
  return {
    name: recipe.name,
    target: target.name,
    version: manifest.version,
    variant,
    path: join(outDirectory, libraryFileName(recipe.name, target.platform)),
    outcome: "current",
    reason: currentReason(manifest, recipe),
    manifest,
  };
}

function currentReason(manifest: LibraryManifest, recipe: Recipe): string {
  const reason = `${recipe.name} ${manifest.version} is up to date`;
  const preferred = recipe.name === "offheap" ? undefined : pinsFor(recipe.name, undefined)[0];
  return preferred === undefined || preferred.version === manifest.version
    ? reason
    : `${reason} (${preferred.version} is preferred; --force asks for it again)`;
}
