/**
 * The same work in C: what the machine can do.
 *
 * @module
 */
import { foreign } from "../../ffi/mod.ts";
import { MEASURE_SYMBOLS, MEMORY_SYMBOLS } from "../../ffi/symbols/shim.ts";
import { resolveLibrary } from "../../lib/library/resolve.ts";
import type { Side } from "./measure.ts";

/** The kinds of allocators by their numbers in the shim. */
const KINDS: Readonly<Record<string, number>> = { jemalloc: 1, mimalloc: 2 };

/** The loops in C over an allocator. */
export interface NativeLoops {
  /** Pairs of malloc and free. */
  pairs(size: number): Side;
  /** Replacements among live blocks. */
  churn(live: number, picks: Int32Array, sizes: Int32Array): Side;
}

/** Binds the loops to the allocator in a library. */
export function nativeLoops(allocator: string, path: string): NativeLoops {
  const shim = resolveLibrary({ name: "offheap" }).path;
  const { offheap_bind } = MEMORY_SYMBOLS;
  const { calls } = foreign().open(shim, { offheap_bind, ...MEASURE_SYMBOLS });
  const message = new Uint8Array(512);
  const source = calls.offheap_bind(path, KINDS[allocator] ?? 0, message, message.length);
  if (source === 0) throw new Error(`Cannot measure: "${path}" could not be bound`);
  return {
    pairs: (size) => ({
      name: `${allocator}: malloc + free in C`,
      time: (count) => calls.offheap_measure_pairs(source, size, count),
    }),
    churn: (live, picks, sizes) => ({
      name: `${allocator}: free + malloc among ${live} in C`,
      time: (count) => calls.offheap_measure_churn(source, live, count, picks, sizes, sizes.length),
    }),
  };
}
