/**
 * The version of a library that is to be preloaded.
 *
 * @module
 */
import { findAllocator } from "../allocators/mod.ts";
import type { ResolvedLibrary } from "./resolve.ts";

/** A library's version, from its manifest or from itself; `null` when it does not say. */
export function libraryVersion({ name, path, manifest }: ResolvedLibrary): string | null {
  return manifest?.version ?? findAllocator(name)?.library?.readVersion(path) ?? null;
}
