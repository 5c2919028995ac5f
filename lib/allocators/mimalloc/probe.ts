/**
 * mimalloc's answers.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import type { Address, Calls } from "../../../ffi/types.ts";
import { decodeMimallocVersion } from "./version.ts";
import type { AllocatorProbe, OpenedLibrary } from "../probe.ts";

/**
 * Release builds do not count single allocations, but every build counts the bytes it commits.
 * A block of this size is often committed for itself; 2.4 and 3 may have committed it before.
 */
const COUNTER_BYTES = 96 << 20;

/** How far from its start a byte of a large block is surely known to be in a region. */
const KNOWN_BYTES = 4096;

const { mi_version, mi_is_in_heap_region, mi_process_info } = MIMALLOC_SYMBOLS;
const QUESTIONS = { mi_version, mi_is_in_heap_region, mi_process_info };

/** Opens the mimalloc in an object; `null` for the process itself. */
export function openMimallocProbe(object: string | null): AllocatorProbe {
  const { calls, close } = ffi().open(object, QUESTIONS);
  return probeOf(calls, close);
}

/** Loads a mimalloc. */
export function openMimalloc(path: string): OpenedLibrary {
  const { mi_malloc, mi_free } = MIMALLOC_SYMBOLS;
  const { calls, close } = ffi().open(path, { ...QUESTIONS, mi_malloc, mi_free });
  return {
    probe: probeOf(calls, close),
    blocks: { allocate: calls.mi_malloc, free: calls.mi_free },
  };
}

function probeOf(calls: Calls<typeof QUESTIONS>, close: () => void): AllocatorProbe {
  return {
    symbol: "mi_version",
    shimName: "mimalloc",
    version: () => decodeMimallocVersion(calls.mi_version()),
    ownershipQuestion: "mi_is_in_heap_region",
    askableRegion: null,
    // A byte within distinguishes a region from a list of blocks.
    owns: (address, size) =>
      calls.mi_is_in_heap_region(address) &&
      calls.mi_is_in_heap_region((address + Math.min(size, KNOWN_BYTES) - 1) as Address),
    counterName: "mi_process_info's committed bytes",
    counterScope: "process",
    counterBytes: COUNTER_BYTES,
    counter() {
      const committed = new BigUint64Array(1);
      calls.mi_process_info(null, null, null, null, null, committed, null, null);
      return committed[0] ?? 0n;
    },
    close,
  };
}
