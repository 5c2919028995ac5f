/**
 * The same work in C: what the machine can do.
 *
 * @module
 */
import { ffi } from "../../ffi/mod.ts";
import { MEMORY_SYMBOLS } from "../../ffi/symbols/shim.ts";
import type { Address, SymbolTable } from "../../ffi/types.ts";
import { resolveLibrary } from "../../lib/library/resolve.ts";
import { buildLoops } from "../native/build.ts";
import type { Side } from "./measure.ts";

/** The kinds of allocators by their numbers in the shim. */
const KINDS: Readonly<Record<string, number>> = { jemalloc: 1, mimalloc: 2 };

/** The functions of loops.c. */
const LOOP_SYMBOLS = {
  // double loops_pairs(double allocate, double release, double size, double count); nanoseconds
  loops_pairs: {
    parameters: ["pointerAsDouble", "pointerAsDouble", "f64", "f64"],
    result: "f64",
  },
  // double loops_churn(double allocate, double release, double live, double count,
  //   const int32_t *picks, const int32_t *sizes, double length); nanoseconds
  loops_churn: {
    parameters: ["pointerAsDouble", "pointerAsDouble", "f64", "f64", "buffer", "buffer", "f64"],
    result: "f64",
  },
} as const satisfies SymbolTable;

/** The loops in C over an allocator. */
export interface NativeLoops {
  /** Pairs of malloc and free. */
  pairs(size: number): Side;
  /** Replacements among live blocks. */
  churn(live: number, picks: Int32Array, sizes: Int32Array): Side;
}

/** The addresses of malloc and free in an allocator's library, by the shim. */
function functionsIn(allocator: string, path: string): [malloc: Address, free: Address] {
  const shim = resolveLibrary({ name: "offheap" }).path;
  const { offheap_bind, offheap_functions } = MEMORY_SYMBOLS;
  const { calls } = ffi().open(shim, { offheap_bind, offheap_functions });
  const message = new Uint8Array(512);
  const source = calls.offheap_bind(path, KINDS[allocator] ?? 0, message, message.length);
  if (source === 0) throw new Error(`Cannot measure: "${path}" could not be bound`);
  const addresses = new Float64Array(10);
  calls.offheap_functions(source, addresses);
  return [addresses[0] as Address, addresses[3] as Address];
}

/** Binds the loops to the allocator in a library. */
export function nativeLoops(allocator: string, path: string): NativeLoops {
  const [malloc, free] = functionsIn(allocator, path);
  const { calls } = ffi().open(buildLoops(), LOOP_SYMBOLS);
  return {
    pairs: (size) => ({
      name: `${allocator}: malloc + free in C`,
      time: (count) => calls.loops_pairs(malloc, free, size, count),
    }),
    churn: (live, picks, sizes) => ({
      name: `${allocator}: free + malloc among ${live} in C`,
      time: (count) => calls.loops_churn(malloc, free, live, count, picks, sizes, sizes.length),
    }),
  };
}
