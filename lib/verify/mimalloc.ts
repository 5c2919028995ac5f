/**
 * mimalloc's answers.
 *
 * @module
 */
import { foreign } from "../../ffi/mod.ts";
import { MIMALLOC_SYMBOLS } from "../../ffi/mimalloc.ts";
import { decodeMimallocVersion } from "../mimalloc/version.ts";
import type { AllocatorProbe } from "./probe.ts";

/**
 * Release builds do not count single allocations, but every build counts the bytes it commits.
 * A block of this size is committed for itself.
 */
const COUNTER_BYTES = 96 << 20;

/** Opens the mimalloc in an object; `null` for the process itself. */
export function openMimallocProbe(object: string | null): AllocatorProbe {
  const { mi_version, mi_is_in_heap_region, mi_process_info } = MIMALLOC_SYMBOLS;
  const { calls, close } = foreign().open(object, {
    mi_version,
    mi_is_in_heap_region,
    mi_process_info,
  });
  return {
    symbol: "mi_version",
    version: () => decodeMimallocVersion(calls.mi_version()),
    ownershipQuestion: "mi_is_in_heap_region",
    askableRegion: null,
    owns: (address) => calls.mi_is_in_heap_region(address),
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
