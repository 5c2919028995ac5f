/**
 * mimalloc 2 and 3.
 *
 * @module
 */
import process from "node:process";
import { ffi } from "../../ffi/mod.ts";
import { MIMALLOC_SYMBOLS } from "../../ffi/symbols/mimalloc.ts";
import { LibraryLoadError, SymbolError } from "../errors.ts";
import { mimallocFigures } from "./mimalloc/json.ts";
import { openMimallocMemory } from "./mimalloc/memory.ts";
import { readOptions } from "./mimalloc/options.ts";
import { openMimalloc, openMimallocProbe } from "./mimalloc/probe.ts";
import { openMimallocStatistics } from "./mimalloc/statistics.ts";
import { MIMALLOC_TUNING } from "./mimalloc/tuning.ts";
import { decodeMimallocVersion } from "./mimalloc/version.ts";
import type { AllocatorDescriptor } from "./types.ts";

/** A version in a library's real name: `libmimalloc.3.1.5.dylib`. */
const NAMED_VERSION = /\.(\d+\.\d+(?:\.\d+)?)\.dylib$/;

function readVersion(path: string): string | null {
  // Where one has to be built to take over a process, opening it would take over this one.
  if (process.platform === "darwin") return NAMED_VERSION.exec(path)?.[1] ?? null;
  try {
    const { calls, close } = ffi().open(path, { mi_version: MIMALLOC_SYMBOLS.mi_version });
    try {
      return decodeMimallocVersion(calls.mi_version());
    } finally {
      close();
    }
  } catch (error) {
    // Whether the file can be preloaded is checked elsewhere, and said with its reason there. What
    // this runtime lacks to open any library is no fault of the file.
    const faults = [LibraryLoadError, SymbolError, RangeError];
    if (faults.some((fault) => error instanceof fault)) return null;
    throw error;
  }
}

/** mimalloc. */
export const MIMALLOC: AllocatorDescriptor<"mimalloc", "build"> = {
  name: "mimalloc",
  source: "build",
  mark: { symbols: ["mi_version"] },
  openProbe: openMimallocProbe,
  readOptions,
  openStatistics: openMimallocStatistics,
  figuresOf: mimallocFigures,
  advised: { noHugePages: "MIMALLOC_ALLOW_THP=0" },
  heapProfiling: {
    refusal:
      "mimalloc has no sampling before 3.5.4, and offheap does not read that of later versions",
  },
  library: {
    systemFiles: {
      linux: ["libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.0"],
      darwin: ["libmimalloc.3.dylib", "libmimalloc.2.dylib"],
    },
    installation: null,
    readVersion,
    needsConstructor: false,
    callsAtStart: ["syscall"],
    open: openMimalloc,
    tuning: MIMALLOC_TUNING,
  },
  openMemory: openMimallocMemory,
};
