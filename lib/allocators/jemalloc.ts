/**
 * jemalloc 5.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { JEMALLOC_PREFIX } from "../../ffi/symbols/jemalloc.ts";
import { JEMALLOC_HEAP_PROFILING } from "./jemalloc/heap-profiling.ts";
import { readOptions } from "./jemalloc/mallctl.ts";
import { openJemallocMemory } from "./jemalloc/memory.ts";
import { openJemalloc, openJemallocProbe } from "./jemalloc/probe.ts";
import { openJemallocStatistics } from "./jemalloc/statistics.ts";
import { JEMALLOC_TUNING } from "./jemalloc/tuning.ts";
import type { AllocatorDescriptor } from "./types.ts";

/** jemalloc's version as it is in its file: `5.3.0-0-g` and the commit's 40 digits. */
const VERSION = /\b(\d+\.\d+\.\d+)-\d+-g[0-9a-f]{40}\b/;

/** jemalloc. */
export const JEMALLOC: AllocatorDescriptor<"jemalloc", "build"> = {
  name: "jemalloc",
  source: "build",
  mark: { symbols: [`${JEMALLOC_PREFIX}mallctl`] },
  openProbe: openJemallocProbe,
  readOptions,
  openStatistics: openJemallocStatistics,
  figuresOf: null,
  advised: { fewArenas: "MALLOC_CONF=narenas:2", noHugePages: "MALLOC_CONF=thp:never" },
  heapProfiling: JEMALLOC_HEAP_PROFILING,
  library: {
    systemFiles: { linux: ["libjemalloc.so.2"], darwin: ["libjemalloc.2.dylib"] },
    installation: null,
    // One that is made for linking cannot be loaded at run time, so its file is read.
    readVersion: (path) => VERSION.exec(readFileSync(path, "latin1"))?.[1] ?? null,
    needsConstructor: false,
    callsAtStart: ["clock_gettime", "syscall"],
    open: openJemalloc,
    tuning: JEMALLOC_TUNING,
  },
  openMemory: openJemallocMemory,
};
