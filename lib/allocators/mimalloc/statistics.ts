/**
 * What mimalloc counts, in the shape that all allocators share.
 *
 * @module
 */
import { MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import { NULL } from "../../../ffi/types.ts";
import {
  ALLOCATOR_FIGURES,
  type AllocatorFigures,
  figures,
  type OpenedStatistics,
} from "../statistics.ts";
import { mimallocFigures } from "./json.ts";
import { decodeMimallocVersion } from "./version.ts";

const { mi_version, mi_process_info, mi_stats_get_json, mi_collect, mi_option_get, mi_option_set } =
  MIMALLOC_SYMBOLS;
const SYMBOLS = {
  mi_version,
  mi_process_info,
  mi_stats_get_json,
  mi_collect,
  mi_option_get,
  mi_option_set,
};

/** Four times what 3.7 writes. */
const JSON_BYTES = 1 << 16;

/** `mi_option_purge_delay`, before 2.1.2 `mi_option_decommit_delay`. */
const PURGE_DELAY = 15;

/** The delay at the start, by object: it is the same for whoever opens it later. */
const delays = new Map<string | null, number>();

/** Opens the counters of the mimalloc in an object; `null` for the process itself. */
export function openMimallocStatistics(object: string | null): OpenedStatistics {
  const { calls, close } = ffi().open(object, SYMBOLS);
  const version = decodeMimallocVersion(calls.mi_version());
  const text = new Uint8Array(JSON_BYTES);
  const committed = new BigUint64Array(1);
  const delay = delays.get(object) ?? calls.mi_option_get(PURGE_DELAY);
  delays.set(object, delay);

  /** What every version counts. */
  function readCommitted(): AllocatorFigures {
    calls.mi_process_info(null, null, null, null, null, committed, null, null);
    return figures(
      ALLOCATOR_FIGURES,
      { committed: Number(committed[0]) },
      `mimalloc ${version} gives no statistics`,
    );
  }

  function collect(): null {
    calls.mi_collect(true);
    return null;
  }

  return {
    read() {
      // 2.0 and 2.1 have no such function, and 3.2.8 and 3.3.0 give nothing.
      const found = calls.mi_stats_get_json?.(JSON_BYTES, text) ?? NULL;
      if (found === NULL) return readCommitted();
      const json = new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
      return mimallocFigures(JSON.parse(json));
    },
    readArenas: () => `mimalloc ${version} does not count by arena`,
    // Of version 2, what this thread has; other threads' memory is given back by themselves.
    purge: collect,
    decay(milliseconds) {
      calls.mi_option_set(PURGE_DELAY, milliseconds < 0 ? delay : milliseconds);
      return null;
    },
    collect,
    close,
  };
}
