/**
 * jemalloc's answers.
 *
 * @module
 */
import { JEMALLOC_PREFIX, JEMALLOC_SYMBOLS } from "../../ffi/jemalloc.ts";
import { foreign } from "../../ffi/mod.ts";
import { lookupArena, readMallctl } from "../jemalloc/mallctl.ts";
import type { AllocatorProbe } from "./probe.ts";

/** Larger than what a thread cache would hand out without counting it at once. */
const COUNTER_BYTES = 1 << 20;

/**
 * jemalloc 5.3 crashes when `arenas.lookup` is asked for an address under a leaf of its radix tree
 * that does not exist. A leaf covers 1 GiB with 48-bit addresses and 4 KiB pages, 4 GiB with 64 KiB
 * pages, and 128 MiB with 57-bit addresses (jemalloc's `rtree.h`): the smallest is safe for all.
 */
const LEAF_BYTES = 128 << 20;

/** Opens the jemalloc in an object; `null` for the process itself. */
export function openJemallocProbe(object: string | null): AllocatorProbe {
  const { mallctl } = JEMALLOC_SYMBOLS;
  const { calls, close } = foreign().open(object, { mallctl }, JEMALLOC_PREFIX);
  return {
    symbol: `${JEMALLOC_PREFIX}mallctl`,
    version() {
      const full = readMallctl(calls, "version");
      const version = /^(\d+\.\d+\.\d+)(-\d+-g[0-9a-f]+)?/.exec(full)?.[1];
      if (version === undefined) {
        throw new RangeError(`mallctl("version") gave ${JSON.stringify(full)}, not a version`);
      }
      return version;
    },
    ownershipQuestion: 'mallctl("arenas.lookup")',
    askableRegion: LEAF_BYTES,
    owns: (address) => lookupArena(calls, address),
    counterName: 'mallctl("thread.allocated")',
    counterScope: "thread",
    counterBytes: COUNTER_BYTES,
    counter: () => readMallctl(calls, "thread.allocated"),
    close,
  };
}
