/**
 * The system's allocator: the C library's own, by the name that covers all of them. Where the C
 * library has no name of its own, what serves a process is reported by this one, too.
 *
 * @module
 */
import { ffi } from "../../ffi/mod.ts";
import { GLIBC_MALLOC_SYMBOLS } from "../../ffi/symbols/libc.ts";
import { UnsupportedOperationError } from "../errors.ts";
import { system } from "../system/mod.ts";
import type { AllocatorKind } from "./memory.ts";
import type { AllocatorProbe } from "./probe.ts";
import { noStatistics } from "./statistics.ts";
import type { AllocatorDescriptor } from "./types.ts";

const COUNTER_BYTES = 1 << 20;

/**
 * Opens the system's allocator.
 *
 * @throws {RangeError} on a system that has no function to ask.
 */
export function openSystemProbe(): AllocatorProbe {
  const { openSystemHeap } = system();
  if (openSystemHeap === null) {
    throw new RangeError("this system has no function that says whose a block is");
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

function unsupported(action: string): never {
  throw new UnsupportedOperationError(
    `Cannot ${action}: the system's allocator has no such function. Open another one.`,
  );
}

function openMemory(): AllocatorKind {
  const { calls } = ffi().open(null, GLIBC_MALLOC_SYMBOLS);
  return {
    number: 3,
    goodSize: () => unsupported("determine the size that would be set aside"),
    knowsOwn: false,
    owns: () => unsupported("ask for the owner of an address"),
    collect() {
      // Where libc has no such function, it has nothing that could be given back by one.
      calls.malloc_trim?.(0);
    },
    heaps: {
      most: 0,
      create: () => unsupported("make a heap"),
      destroy: () => unsupported("destroy a heap"),
      wantEmpty: false,
      counters: () => unsupported("read a heap's statistics"),
    },
  };
}

/** The system's allocator. */
export const SYSTEM: AllocatorDescriptor<"system", "system"> = {
  name: "system",
  source: "system",
  mark: { symbols: ["malloc"], file: /^libsystem_malloc|^ucrtbase\.dll$/i },
  openProbe: openSystemProbe,
  readOptions: null,
  openStatistics: () =>
    noStatistics(
      "this system's allocator has no counter that can be read",
      "this system's allocator has no function for it",
    ),
  figuresOf: null,
  advised: {},
  heapProfiling: { refusal: "C libraries do not sample" },
  library: null,
  openMemory,
};
