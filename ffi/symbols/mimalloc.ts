/**
 * mimalloc's symbols. mimalloc 2.0, 2.4 and 3.4 have all that is not marked optional.
 *
 * @module
 */
import type { SymbolTable } from "../types.ts";

/** The functions that offheap calls in mimalloc. */
export const MIMALLOC_SYMBOLS = {
  // int mi_version(void)
  mi_version: { parameters: [], result: "i32" },
  // void* mi_malloc(size_t size)
  mi_malloc: { parameters: ["usize"], result: "pointer" },
  // void mi_free(void* p)
  mi_free: { parameters: ["pointer"], result: "void" },
  // bool mi_is_in_heap_region(const void* p)
  mi_is_in_heap_region: { parameters: ["pointer"], result: "bool" },
  // void mi_process_info(size_t* elapsed_msecs, size_t* user_msecs, size_t* system_msecs,
  //   size_t* current_rss, size_t* peak_rss, size_t* current_commit, size_t* peak_commit,
  //   size_t* page_faults)
  mi_process_info: {
    parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer", "buffer", "buffer"],
    result: "void",
  },
  // long mi_option_get(mi_option_t option)
  mi_option_get: { parameters: ["i32"], result: "long" },
  // void mi_option_set(mi_option_t option, long value)
  mi_option_set: { parameters: ["i32", "long"], result: "void" },
  // char* mi_stats_get_json(size_t buf_size, char* buf): NULL where the text does not fit
  mi_stats_get_json: { parameters: ["usize", "buffer"], result: "pointer", optional: true },
  // size_t mi_good_size(size_t size)
  mi_good_size: { parameters: ["usize"], result: "usize" },
  // void mi_collect(bool force)
  mi_collect: { parameters: ["bool"], result: "void" },
  // mi_heap_t* mi_heap_new(void)
  mi_heap_new: { parameters: [], result: "pointer" },
  // void mi_heap_destroy(mi_heap_t* heap)
  mi_heap_destroy: { parameters: ["pointer"], result: "void" },
} as const satisfies SymbolTable;

/** What the shim binds in mimalloc: `BINDINGS` in bind.c. */
export const MIMALLOC_SHIM_SYMBOLS: readonly string[] = [
  "mi_malloc",
  "mi_calloc",
  "mi_realloc",
  "mi_free",
  "mi_usable_size",
  "mi_zalloc",
  "mi_malloc_aligned",
  "mi_zalloc_aligned",
  "mi_realloc_aligned",
  "mi_heap_malloc_aligned",
  "mi_heap_zalloc_aligned",
  "mi_heap_realloc_aligned",
  "mi_heap_visit_blocks",
];
