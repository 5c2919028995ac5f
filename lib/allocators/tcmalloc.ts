/**
 * tcmalloc's answers.
 *
 * @module
 */
import { foreign } from "../../ffi/mod.ts";
import { readCString } from "../../ffi/symbols/memory.ts";
import { TCMALLOC_SYMBOLS } from "../../ffi/symbols/tcmalloc.ts";
import type { AllocatorProbe } from "./probe.ts";

/** `MallocExtension_kOwned`. */
const OWNED = 1;
const PROPERTY = "generic.current_allocated_bytes";
/** Far above what other threads allocate meanwhile. */
const COUNTER_BYTES = 96 << 20;

function missing(symbol: string): RangeError {
  return new RangeError(`this tcmalloc has no ${symbol}, by which it could be asked`);
}

/** Opens the tcmalloc in an object; `null` for the process itself. */
export function openTcmallocProbe(object: string | null): AllocatorProbe {
  const { calls, close } = foreign().open(object, TCMALLOC_SYMBOLS);
  const { tc_version, MallocExtension_GetOwnership, MallocExtension_GetNumericProperty } = calls;
  // What has one of the names only is something else, which is not called for a string.
  const isWhole = MallocExtension_GetOwnership !== undefined &&
    MallocExtension_GetNumericProperty !== undefined;
  return {
    symbol: "tc_version",
    shimName: null,
    version: tc_version === undefined || !isWhole
      ? null
      : () => readCString(tc_version(null, null, null)).replace(/^\D*/, ""),
    ownershipQuestion: "MallocExtension_GetOwnership",
    askableRegion: null,
    owns(address) {
      if (MallocExtension_GetOwnership === undefined) throw missing("MallocExtension_GetOwnership");
      return MallocExtension_GetOwnership(address) === OWNED;
    },
    counterName: `its ${PROPERTY}`,
    counterScope: "process",
    counterBytes: COUNTER_BYTES,
    counter() {
      const bytes = new BigUint64Array(1);
      if (MallocExtension_GetNumericProperty?.(PROPERTY, bytes) !== 1) throw missing(PROPERTY);
      return bytes[0] ?? 0n;
    },
    close,
  };
}
