/**
 * What the two builders of the main package have in common.
 *
 * @module
 */
import type { Manifest } from "./manifest.ts";

/** The builders by name. */
export type BuilderName = "dnt" | "tsc";

/** What a builder is given. */
export interface BuilderInput {
  /** The sources, with a release's hashes in them. */
  readonly sources: string;
  /** The package's directory; `package.json` lies there already. */
  readonly directory: string;
  /** The package's manifest. */
  readonly manifest: Manifest;
  /** What dnt is loaded from, when it is another than the pinned one. */
  readonly dnt?: string | undefined;
}

/**
 * Makes `esm/` and `types/`, and `src/`, which the source maps lead to: the lines are the sources'.
 *
 * @returns What ran, with its version.
 */
export type Builder = (input: BuilderInput) => Promise<string>;
