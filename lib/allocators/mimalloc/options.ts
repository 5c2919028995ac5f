/**
 * The options of mimalloc that a report shows. Their numbers are those of the enumeration
 * `mi_option_t` in mimalloc.h; 2.1.2 gave several of them new names and meanings in the same places,
 * and versions 2.1.2 to 3.7 agree on these.
 *
 * @module
 */
import { ffi } from "../../../ffi/mod.ts";
import { MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import type { OptionValue } from "../types.ts";
import { compareVersions } from "../version-order.ts";
import { decodeMimallocVersion } from "./version.ts";

/** One option. */
export interface MimallocOption {
  /** Its value in `mi_option_t`. */
  readonly number: number;
  /** Its name, as in `MIMALLOC_<NAME>`. */
  readonly name: string;
}

const ALL_VERSIONS: readonly MimallocOption[] = [
  { number: 0, name: "show_errors" },
  { number: 2, name: "verbose" },
  { number: 7, name: "reserve_huge_os_pages" },
  { number: 16, name: "use_numa_nodes" },
];

/** mimalloc up to 2.1.1. */
const DECOMMITTING: readonly MimallocOption[] = [
  { number: 3, name: "eager_commit" },
  { number: 6, name: "large_os_pages" },
  { number: 11, name: "page_reset" },
  { number: 12, name: "abandoned_page_decommit" },
  { number: 15, name: "decommit_delay" },
  { number: 22, name: "allow_decommit" },
];

/** mimalloc 2.1.2 and later. */
const PURGING: readonly MimallocOption[] = [
  { number: 4, name: "arena_eager_commit" },
  { number: 5, name: "purge_decommits" },
  { number: 6, name: "allow_large_os_pages" },
  { number: 15, name: "purge_delay" },
];

/** mimalloc 2.1.2 and later; version 3 has no such pages, and takes no notice of the option. */
const ABANDONING: readonly MimallocOption[] = [{ number: 12, name: "abandoned_page_purge" }];

/** The options that a version has. */
export function mimallocOptions(version: string): readonly MimallocOption[] {
  const own = compareVersions(version, "2.1.2") < 0
    ? DECOMMITTING
    : version.startsWith("2.")
    ? [...PURGING, ...ABANDONING]
    : PURGING;
  return [...ALL_VERSIONS, ...own].sort((a, b) => a.number - b.number);
}

/** The options in force of the mimalloc in an object; `null` for the process itself. */
export function readOptions(object: string | null): Record<string, OptionValue> {
  const { mi_version, mi_option_get } = MIMALLOC_SYMBOLS;
  const { calls, close } = ffi().open(object, { mi_version, mi_option_get });
  try {
    const options: Record<string, OptionValue> = {};
    for (const { number, name } of mimallocOptions(decodeMimallocVersion(calls.mi_version()))) {
      options[name] = calls.mi_option_get(number);
    }
    return options;
  } finally {
    close();
  }
}
