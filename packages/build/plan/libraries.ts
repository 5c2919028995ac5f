/**
 * What a build has to make, and which of it is up to date.
 *
 * @module
 */
import { join } from "node:path";
import { libraryFileName } from "../../../lib/library/directories.ts";
import { librariesOf, type LibraryManifest, type Variant } from "../../../lib/library/manifest.ts";
import type { Target } from "../../../lib/library/target.ts";
import { fetchGiven, fetchPinned, type SourceContext } from "../store/fetch.ts";
import { hashDirectory } from "../store/hashes.ts";
import { hashInputs } from "./inputs.ts";
import { JEMALLOC_RECIPE } from "../recipe/jemalloc.ts";
import { MIMALLOC_RECIPE } from "../recipe/mimalloc.ts";
import { readFinished } from "../store/output.ts";
import { ownSources } from "../root.ts";
import { type AllocatorName, type Pin, pinsFor } from "./pins.ts";
import { SHIM_RECIPE } from "../recipe/shim.ts";
import type { BuildOptions, BuildResult, Recipe, Source } from "../types.ts";

/** One library that is wanted, and the sources that would do. */
export interface Plan {
  /** How it is built. */
  readonly recipe: Recipe;
  /** The hashes of sources that would do; the preferred one first. */
  readonly identities: readonly string[];
  /** Gets the source. */
  fetch(context: SourceContext): Promise<Source>;
}

const ALLOCATOR_RECIPES: Readonly<Record<AllocatorName, Recipe>> = {
  mimalloc: MIMALLOC_RECIPE,
  jemalloc: JEMALLOC_RECIPE,
};

/**
 * The libraries that a build's options ask for; the quick ones first.
 *
 * @throws {BuildError} for a version that is not pinned.
 */
export function planBuild(options: BuildOptions): Plan[] {
  const { allocator = "all", source } = options;
  const names: readonly AllocatorName[] = allocator === "all"
    ? ["mimalloc", "jemalloc"]
    : [allocator];
  return [
    planShim(),
    ...names.map((name) => {
      const recipe = ALLOCATOR_RECIPES[name];
      const version = options[`${name}Version`];
      return source === undefined
        ? planPinned(recipe, pinsFor(name, version))
        : planGiven(recipe, source, version);
    }),
  ];
}

/** Those of the plans that a variant has. */
export function plansOf(variant: Variant, plans: readonly Plan[]): Plan[] {
  return plans.filter(({ recipe }) => librariesOf(variant).includes(recipe.name));
}

function planShim(): Plan {
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

function planPinned(recipe: Recipe, pins: readonly Pin[]): Plan {
  const archives = pins.flatMap((pin) => [pin.upstream, pin.debian]);
  return {
    recipe,
    identities: archives.flatMap((archive) => archive === undefined ? [] : [archive.sha256]),
    fetch: (context) => fetchPinned(pins, context, recipe.prepare),
  };
}

function planGiven(recipe: Recipe, given: string, version: string | undefined): Plan {
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

/** What is the same for all libraries of a build. */
export interface PlanContext {
  /** Where the libraries go. */
  readonly outDirectory: string;
  /** The variant. */
  readonly variant: Variant;
  /** The target. */
  readonly target: Target;
  /** Whether a library that this compiler made will do. */
  readonly accepts: (compiler: string) => boolean;
}

/** The result for a library that is up to date; `null` when it has to be built. */
export function findCurrent(
  plan: Plan,
  context: PlanContext,
  identities: readonly string[] = plan.identities,
): BuildResult | null {
  const { outDirectory, variant, target } = context;
  const { recipe } = plan;
  const manifest = readFinished(outDirectory, recipe.name, target.platform);
  if (manifest === null || !context.accepts(manifest.compiler)) return null;
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
