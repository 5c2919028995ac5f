/**
 * The version of a library that is to be preloaded.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { foreign } from "../../ffi/mod.ts";
import { MIMALLOC_SYMBOLS } from "../../ffi/symbols/mimalloc.ts";
import { OffheapError } from "../errors.ts";
import { decodeMimallocVersion } from "../allocators/mimalloc/version.ts";
import type { LibraryName } from "./manifest.ts";
import type { ResolvedLibrary } from "./resolve.ts";

/** jemalloc's version as it stands in its file: `5.3.0-0-g` and the commit's 40 digits. */
const JEMALLOC_VERSION = /\b(\d+\.\d+\.\d+)-\d+-g[0-9a-f]{40}\b/;

/** A jemalloc made for linking cannot be loaded at run time, so its file is read instead. */
function jemallocVersion(path: string): string | null {
  return JEMALLOC_VERSION.exec(readFileSync(path, "latin1"))?.[1] ?? null;
}

/** A version in a library's real name: `libmimalloc.3.1.5.dylib`. */
const NAMED_VERSION = /\.(\d+\.\d+(?:\.\d+)?)\.dylib$/;

function mimallocVersion(path: string): string | null {
  // Where one has to be built to take over a process, opening it would take over this one.
  if (process.platform === "darwin") return NAMED_VERSION.exec(path)?.[1] ?? null;
  try {
    const { calls, close } = foreign().open(path, { mi_version: MIMALLOC_SYMBOLS.mi_version });
    try {
      return decodeMimallocVersion(calls.mi_version());
    } finally {
      close();
    }
  } catch (error) {
    // Whether the file can be preloaded is checked elsewhere, and said with its reason there.
    if (error instanceof OffheapError || error instanceof RangeError) return null;
    throw error;
  }
}

const READERS: Readonly<Record<LibraryName, (path: string) => string | null>> = {
  jemalloc: jemallocVersion,
  mimalloc: mimallocVersion,
  offheap: () => null,
};

/** A library's version, from its manifest or from itself; `null` when it does not tell. */
export function libraryVersion(library: ResolvedLibrary): string | null {
  return library.manifest?.version ?? READERS[library.name](library.path);
}
