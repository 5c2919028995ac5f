/**
 * mimalloc's symbols. mimalloc 2.0, 2.4 and 3.4 have all that is not marked optional.
 *
 * @module
 */
import type { SymbolTable } from "./types.ts";

/** The functions that offheap calls in mimalloc. */
export const MIMALLOC_SYMBOLS = {
  // int mi_version(void)
  mi_version: { parameters: [], result: "i32" },
  // void* mi_malloc(size_t size)
  mi_malloc: { parameters: ["usize"], result: "pointer" },
  // void mi_free(void* p)
  mi_free: { parameters: ["pointer"], result: "void" },
  // size_t mi_usable_size(const void* p)
  mi_usable_size: { parameters: ["pointer"], result: "usize" },
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
  mi_option_get: { parameters: ["i32"], result: "i64" },
} as const satisfies SymbolTable;
