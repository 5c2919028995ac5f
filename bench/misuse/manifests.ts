/**
 * What the manifest beside a library says of it.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** The parts of a manifest that are shown. */
export interface ShownManifest {
  readonly allocator: string;
  readonly version: string;
}

/** Reads the manifest beside a library. */
export function manifestBeside(library: string): ShownManifest {
  const { allocator, version } = JSON.parse(readFileSync(`${library}.json`, "utf8")) as Partial<
    ShownManifest
  >;
  if (allocator === undefined || version === undefined) {
    throw new Error(`Cannot determine what "${library}" is: its manifest does not say`);
  }
  return { allocator, version };
}
