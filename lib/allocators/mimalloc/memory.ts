/**
 * mimalloc: its own heaps.
 *
 * @module
 */
import { MIMALLOC_SYMBOLS } from "../../../ffi/symbols/mimalloc.ts";
import { ffi } from "../../../ffi/mod.ts";
import { type Address, NULL } from "../../../ffi/types.ts";
import type { AllocatorKind, MemoryCalls } from "../memory.ts";
import type { LibraryFile } from "../types.ts";

/**
 * Its memory is above: a debug build of mimalloc 2 asserts that an address it is asked about is
 * not in the first segment's place, and mimalloc 3.0 says of the first 64 KiB that they are its own.
 */
const MIN_ADDRESS: number = 32 * 2 ** 20;

/** Opens mimalloc's functions. */
export function openMimallocMemory({ path }: LibraryFile, shim: MemoryCalls): AllocatorKind {
  const { mi_good_size, mi_is_in_heap_region, mi_collect, mi_heap_new, mi_heap_destroy } =
    MIMALLOC_SYMBOLS;
  const { calls } = ffi().open(path, {
    mi_good_size,
    mi_is_in_heap_region,
    mi_collect,
    mi_heap_new,
    mi_heap_destroy,
  });
  return {
    number: 2,
    goodSize: (size) => calls.mi_good_size(size),
    knowsOwn: true,
    owns: (address) => address >= MIN_ADDRESS && calls.mi_is_in_heap_region(address),
    collect: () => calls.mi_collect(true),
    heaps: {
      most: Infinity,
      create() {
        const heap = calls.mi_heap_new();
        return heap === NULL ? null : heap;
      },
      destroy: (heap) => calls.mi_heap_destroy(heap as Address),
      wantEmpty: false,
      counters(_, source) {
        const sums = new Float64Array(3);
        shim.offheap_mimalloc_heap_areas(source, sums);
        const [allocated = 0, resident = 0, mapped = 0] = sums;
        return { allocated, resident, mapped };
      },
    },
  };
}
