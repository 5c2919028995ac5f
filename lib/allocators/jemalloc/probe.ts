/**
 * jemalloc's answers.
 *
 * @module
 */
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../../ffi/symbols/jemalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import { lookupArena, type MallctlCalls, readMallctl } from "./mallctl.ts";
import type { AllocatorProbe, OpenedLibrary } from "../probe.ts";

/** Larger than what a thread cache would hand out without counting it at once. */
const COUNTER_BYTES = 1 << 20;

/**
 * jemalloc 5.3.0 crashes when `arenas.lookup` is asked for an address under a leaf of its radix tree
 * that does not exist. A leaf covers 1 GiB with 48-bit addresses and 4 KiB pages, 4 GiB with 64 KiB
 * pages, and 128 MiB with 57-bit addresses (jemalloc's `rtree.h`): the smallest is safe for all.
 */
const LEAF_BYTES = 128 << 20;

/** The first version that may be asked about any address. */
const ASKABLE = [5, 3, 1];

/** The version in jemalloc's own text; `null` when it has none. */
function versionIn(text: string): string | null {
  return /^(\d+\.\d+\.\d+)(-\d+-g[0-9a-f]+)?/.exec(text)?.[1] ?? null;
}

function askableRegion(calls: MallctlCalls): number | null {
  let version: string | null;
  try {
    version = versionIn(readMallctl(calls, "version"));
  } catch {
    // That it reports no version is evidence by itself; until then it is taken for an old one.
    return LEAF_BYTES;
  }
  const parts = version?.split(".").map(Number) ?? [];
  const at = ASKABLE.findIndex((part, index) => parts[index] !== part);
  return at < 0 || (parts[at] ?? 0) > (ASKABLE[at] ?? 0) ? null : LEAF_BYTES;
}

/** Opens the jemalloc in an object; `null` for the process itself. */
export function openJemallocProbe(object: string | null): AllocatorProbe {
  const { mallctl } = JEMALLOC_SYMBOLS;
  const { calls, close } = ffi().open(object, { mallctl }, JEMALLOC_PREFIX);
  return probeOf(calls, close);
}

/** Loads a jemalloc. */
export function openJemalloc(path: string): OpenedLibrary {
  const { mallctl, mallocx, dallocx } = JEMALLOC_SYMBOLS;
  const { calls, close } = ffi().open(path, { mallctl, mallocx, dallocx }, JEMALLOC_PREFIX);
  return {
    probe: probeOf(calls, close),
    blocks: {
      allocate: (size) => calls.mallocx(size, 0),
      free: (address) => calls.dallocx(address, 0),
    },
  };
}

function probeOf(calls: MallctlCalls, close: () => void): AllocatorProbe {
  return {
    symbol: `${JEMALLOC_PREFIX}mallctl`,
    shimName: "jemalloc",
    version() {
      const full = readMallctl(calls, "version");
      const version = versionIn(full);
      if (version === null) {
        throw new RangeError(`mallctl("version") gave ${JSON.stringify(full)}, not a version`);
      }
      return version;
    },
    ownershipQuestion: 'mallctl("arenas.lookup")',
    askableRegion: askableRegion(calls),
    owns: (address) => lookupArena(calls, address),
    counterName: 'mallctl("thread.allocated")',
    counterScope: "thread",
    counterBytes: COUNTER_BYTES,
    counter: () => readMallctl(calls, "thread.allocated"),
    close,
  };
}
