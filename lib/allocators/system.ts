/**
 * The answers of a system's own allocator, where the system has a function for them.
 *
 * @module
 */
import { system } from "../system/mod.ts";
import type { AllocatorProbe } from "./probe.ts";

const COUNTER_BYTES = 1 << 20;

/**
 * Opens the system's allocator.
 *
 * @throws {RangeError} on a system that has no function to ask.
 */
export function openSystemProbe(): AllocatorProbe {
  const { openSystemHeap } = system();
  if (openSystemHeap === null) {
    throw new RangeError("this system has no function that tells whose a block is");
  }
  const { question, owns, close } = openSystemHeap();
  return {
    symbol: "malloc",
    shimName: "system",
    version: null,
    ownershipQuestion: question,
    askableRegion: null,
    owns,
    counterName: "its bytes in use",
    counterScope: "process",
    counterBytes: COUNTER_BYTES,
    counter() {
      throw new RangeError("this system's allocator has no counter that can be read");
    },
    close,
  };
}
