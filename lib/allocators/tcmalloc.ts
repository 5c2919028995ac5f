/**
 * gperftools' tcmalloc, which offheap does not build: whoever wants it names its file.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { ffi } from "../../ffi/mod.ts";
import { readCString } from "../../ffi/symbols/memory.ts";
import { TCMALLOC_SYMBOLS } from "../../ffi/symbols/tcmalloc.ts";
import type { Calls } from "../../ffi/types.ts";
import type { AllocatorProbe, OpenedLibrary } from "./probe.ts";
import { openTcmallocStatistics } from "./tcmalloc/statistics.ts";
import type { AllocatorDescriptor, OptionValue } from "./types.ts";

/** `MallocExtension_kOwned`. */
const OWNED = 1;
const IN_USE = "generic.current_allocated_bytes";

/** What `MallocExtension_GetNumericProperty` says of what can be set. */
const OPTIONS: readonly string[] = [
  "tcmalloc.max_total_thread_cache_bytes",
  "tcmalloc.aggressive_memory_decommit",
  "tcmalloc.heap_limit_mb",
];

/** The version as it is in its file. */
const VERSION = /\bgperftools (\d+\.\d+(?:\.\d+)?)\b/;

/** Far above what other threads allocate meanwhile. */
const COUNTER_BYTES = 96 << 20;

const { tc_version, MallocExtension_GetOwnership, MallocExtension_GetNumericProperty } =
  TCMALLOC_SYMBOLS;
const QUESTIONS = { tc_version, MallocExtension_GetOwnership, MallocExtension_GetNumericProperty };

function missing(symbol: string): RangeError {
  return new RangeError(`this tcmalloc has no ${symbol}, by which it could be asked`);
}

/** Opens the tcmalloc in an object; `null` for the process itself. */
function openProbe(object: string | null): AllocatorProbe {
  const { calls, close } = ffi().open(object, QUESTIONS);
  return probeOf(calls, close);
}

function open(path: string): OpenedLibrary {
  const { calls, close } = ffi().open(path, TCMALLOC_SYMBOLS);
  return {
    probe: probeOf(calls, close),
    blocks: { allocate: calls.tc_malloc, free: calls.tc_free },
  };
}

function probeOf(calls: Calls<typeof QUESTIONS>, close: () => void): AllocatorProbe {
  const { tc_version, MallocExtension_GetOwnership, MallocExtension_GetNumericProperty } = calls;
  // What has one of the names only is something else, which is not called for a string.
  const isWhole = MallocExtension_GetOwnership !== undefined &&
    MallocExtension_GetNumericProperty !== undefined;
  return {
    symbol: "tc_version",
    shimName: isWhole ? "tcmalloc" : null,
    version: tc_version === undefined || !isWhole
      ? null
      : () => readCString(tc_version(null, null, null)).replace(/^\D*/, ""),
    ownershipQuestion: "MallocExtension_GetOwnership",
    askableRegion: null,
    owns(address) {
      if (MallocExtension_GetOwnership === undefined) throw missing("MallocExtension_GetOwnership");
      return MallocExtension_GetOwnership(address) === OWNED;
    },
    counterName: `its ${IN_USE}`,
    counterScope: "process",
    counterBytes: COUNTER_BYTES,
    counter() {
      const bytes = new BigUint64Array(1);
      if (MallocExtension_GetNumericProperty?.(IN_USE, bytes) !== 1) throw missing(IN_USE);
      return bytes[0] ?? 0n;
    },
    close,
  };
}

function readOptions(object: string | null): Record<string, OptionValue> {
  const { calls, close } = ffi().open(object, { MallocExtension_GetNumericProperty });
  try {
    const options: Record<string, OptionValue> = {};
    const value = new BigUint64Array(1);
    for (const name of OPTIONS) {
      if (calls.MallocExtension_GetNumericProperty?.(name, value) !== 1) continue;
      options[name] = Number(value[0]);
    }
    return options;
  } finally {
    close();
  }
}

/** tcmalloc. */
export const TCMALLOC: AllocatorDescriptor<"tcmalloc", "elsewhere"> = {
  name: "tcmalloc",
  source: "elsewhere",
  mark: { symbols: ["tc_version", "MallocExtension_ReleaseFreeMemory", "TCMallocInternalMalloc"] },
  openProbe,
  readOptions,
  openStatistics: openTcmallocStatistics,
  figuresOf: null,
  advised: {},
  heapProfiling: { refusal: "offheap does not read the samples of tcmalloc" },
  library: {
    systemFiles: {
      linux: ["libtcmalloc_minimal.so.4", "libtcmalloc.so.4"],
      darwin: ["libtcmalloc_minimal.4.dylib", "libtcmalloc.4.dylib"],
    },
    installation: "Install gperftools' (Debian's package is libtcmalloc-minimal4)",
    readVersion: (path) => VERSION.exec(readFileSync(path, "latin1"))?.[1] ?? null,
    needsConstructor: true,
    callsAtStart: [],
    open,
    tuning: null,
  },
  // The shim binds no functions of it. Where it serves the process, the system's blocks are its own.
  openMemory: null,
};
