/**
 * What this process's children have used, as the kernel counts it when they are waited for.
 *
 * @module
 */
import { CHILD_USAGE_SYMBOLS, libcLibrary } from "../../../ffi/symbols/libc.ts";
import { ffi } from "../../../ffi/mod.ts";
import type { Calls } from "../../../ffi/types.ts";

/** Time and page faults. */
export interface Usage {
  readonly userSeconds: number;
  readonly systemSeconds: number;
  /** With and without input from a disk. */
  readonly pageFaults: number;
}

/** `RUSAGE_CHILDREN`. */
const OF_CHILDREN = -1;
/** Words of `struct rusage` on 64-bit Linux: two times of two words each, and fourteen counts. */
const RUSAGE_WORDS = 18;
const WORD = {
  userSeconds: 0,
  userMicros: 1,
  systemSeconds: 2,
  systemMicros: 3,
  minor: 8,
  major: 9,
};
const MICROS = 1e6;

let calls: Calls<typeof CHILD_USAGE_SYMBOLS> | undefined;

/** What all children together have used that have ended, with their own children. */
export function childUsage(): Usage {
  calls ??= ffi().open(libcLibrary(), CHILD_USAGE_SYMBOLS).calls;
  const words = new BigInt64Array(RUSAGE_WORDS);
  if (calls.getrusage(OF_CHILDREN, words) !== 0) {
    throw new Error("getrusage(RUSAGE_CHILDREN) failed, which it never should");
  }
  const at = (index: number): number => Number(words[index]);
  return {
    userSeconds: at(WORD.userSeconds) + at(WORD.userMicros) / MICROS,
    systemSeconds: at(WORD.systemSeconds) + at(WORD.systemMicros) / MICROS,
    pageFaults: at(WORD.minor) + at(WORD.major),
  };
}

/** What was used between two answers. */
export function usageBetween(before: Usage, after: Usage): Usage {
  return {
    userSeconds: after.userSeconds - before.userSeconds,
    systemSeconds: after.systemSeconds - before.systemSeconds,
    pageFaults: after.pageFaults - before.pageFaults,
  };
}
