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
  /** The package's directory; `src/` has the sources, and `package.json` lies there already. */
  readonly directory: string;
  /** The package's manifest. */
  readonly manifest: Manifest;
  /** What dnt is loaded from, when it is another than the pinned one. */
  readonly dnt?: string | undefined;
}

/**
 * Makes `esm/`, with source maps, and `types/`; dnt makes `src/` anew.
 *
 * @returns What ran, with its version.
 */
export type Builder = (input: BuilderInput) => Promise<string>;
