/**
 * What mimalloc counts, in the shape that all allocators share.
 *
 * @module
 */
import { MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import { ALLOCATOR_FIGURES, figures, type OpenedStatistics } from "../statistics.ts";
import { decodeMimallocVersion } from "./version.ts";

const { mi_version, mi_process_info, mi_collect, mi_option_get, mi_option_set } = MIMALLOC_SYMBOLS;
const SYMBOLS = { mi_version, mi_process_info, mi_collect, mi_option_get, mi_option_set };

/** `mi_option_purge_delay`, before 2.1.2 `mi_option_decommit_delay`. */
const PURGE_DELAY = 15;

/** The delay at the start, by object: it is the same for whoever opens it later. */
const delays = new Map<string | null, number>();

/** Opens the counters of the mimalloc in an object; `null` for the process itself. */
export function openMimallocStatistics(object: string | null): OpenedStatistics {
  const { calls, close } = ffi().open(object, SYMBOLS);
  const version = decodeMimallocVersion(calls.mi_version());
  const committed = new BigUint64Array(1);
  const delay = delays.get(object) ?? calls.mi_option_get(PURGE_DELAY);
  delays.set(object, delay);

  function collect(): null {
    calls.mi_collect(true);
    return null;
  }

  return {
    read() {
      calls.mi_process_info(null, null, null, null, null, committed, null, null);
      return figures(
        ALLOCATOR_FIGURES,
        { committed: Number(committed[0]) },
        `mimalloc ${version} has no function for it`,
      );
    },
    readArenas: () => `mimalloc ${version} does not count by arena`,
    purge: collect,
    decay(milliseconds) {
      calls.mi_option_set(PURGE_DELAY, milliseconds < 0 ? delay : milliseconds);
      return null;
    },
    collect,
    close,
  };
}
