/**
 * What a library is made of, as one hash: equal inputs need no new build.
 *
 * @module
 */
import { join } from "node:path";
import type { Variant } from "../../../lib/library/manifest.ts";
import type { Target } from "../../../lib/library/target.ts";
import { isZig } from "../toolchain/zig.ts";
import { sha256, sha256File } from "../store/hashes.ts";
import { ownSources } from "../root.ts";
import type { Recipe } from "../types.ts";

/** To be raised when a recipe changes in a way that its flags and symbols do not show. */
const RECIPE_REVISION = 3;

/** What makes a difference to a library. */
export interface Inputs {
  /** How it is built. */
  readonly recipe: Recipe;
  /** The source's hash. */
  readonly identity: string;
  /** The variant. */
  readonly variant: Variant;
  /** The target. */
  readonly target: Target;
  /** The compiler's version line. */
  readonly compiler: string;
}

/** The hash of a library's inputs. */
export function hashInputs(inputs: Inputs): string {
  const { recipe, identity, variant, target, compiler } = inputs;
  const { required, optional } = recipe.exports(target, variant);
  return sha256(JSON.stringify([
    RECIPE_REVISION,
    recipe.name,
    identity,
    variant,
    target.name,
    compiler,
    recipe.flags(variant, target, isZig(compiler)),
    recipe.ownFiles?.(target, variant).map((file) => sha256File(join(ownSources(), file))) ?? [],
    required,
    optional,
  ]));
}
