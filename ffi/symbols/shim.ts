/**
 * The symbols of offheap's own C shim, `ffi/native/`.
 *
 * @module
 */
import type { SymbolTable } from "../types.ts";

/** The functions that launching and verification call in the shim. */
export const SHIM_SYMBOLS = {
  // int offheap_abi_version(void)
  offheap_abi_version: { parameters: [], result: "i32" },
  // int offheap_exec(const char *path, char *const argv[], char *const envp[],
  //   const double *checked); returns errno
  offheap_exec: { parameters: ["cstring", "buffer", "buffer", "buffer"], result: "i32" },
  // int offheap_glibc_in_use(uint64_t *bytes); 0, or ENOSYS where libc has no mallinfo
  offheap_glibc_in_use: { parameters: ["buffer"], result: "i32" },
  // int offheap_is_serving(const char *allocator, char *why, double length); 1, 0 with the reason,
  // or -1 where there is no preload to check
  offheap_is_serving: { parameters: ["cstring", "buffer", "f64"], result: "i32" },
  // int offheap_agent(char *why, double length); 1 where it gives memory back at rest, 2 where it does
  // not, 0 where it does not run, both with the reason, or -1 where none was asked for
  offheap_agent: { parameters: ["buffer", "f64"], result: "i32" },
} as const satisfies SymbolTable;

/** The functions that memory for JavaScript calls in the shim. Sizes and addresses are doubles. */
export const MEMORY_SYMBOLS = {
  // double offheap_bind(const char *path, int kind, char *error, double error_length)
  offheap_bind: { parameters: ["cstring", "i32", "buffer", "f64"], result: "pointerAsDouble" },
  // double offheap_heap_open(double allocator, double heap)
  offheap_heap_open: { parameters: ["pointerAsDouble", "f64"], result: "pointerAsDouble" },
  // void offheap_heap_close(double heap)
  offheap_heap_close: { parameters: ["pointerAsDouble"], result: "void" },
  // void offheap_mimalloc_heap_areas(double heap, double *sums)
  offheap_mimalloc_heap_areas: { parameters: ["pointerAsDouble", "buffer"], result: "void" },
  // int offheap_arena_keep(double allocator, double arena); errno
  offheap_arena_keep: { parameters: ["pointerAsDouble", "f64"], result: "i32" },
  // int offheap_arena_reuse(double allocator); -1 when none was kept
  offheap_arena_reuse: { parameters: ["pointerAsDouble"], result: "i32" },
  // void offheap_functions(double source, double *out)
  offheap_functions: { parameters: ["pointerAsDouble", "buffer"], result: "void" },
  // void offheap_call_free(double function, double block)
  offheap_call_free: { parameters: ["pointerAsDouble", "pointerAsDouble"], result: "void" },
  // double offheap_allocate(double source, double size, double alignment, double zeroed)
  offheap_allocate: {
    parameters: ["pointerAsDouble", "f64", "f64", "f64"],
    result: "pointerAsDouble",
  },
  // double offheap_reallocate(double source, double block, double size, double alignment)
  offheap_reallocate: {
    parameters: ["pointerAsDouble", "pointerAsDouble", "f64", "f64"],
    result: "pointerAsDouble",
  },
  // void offheap_release(double source, double block)
  offheap_release: { parameters: ["pointerAsDouble", "pointerAsDouble"], result: "void" },
  // double offheap_malloc(double source, double size)
  offheap_malloc: { parameters: ["pointerAsDouble", "f64"], result: "pointerAsDouble" },
  // double offheap_calloc(double source, double count, double size)
  offheap_calloc: { parameters: ["pointerAsDouble", "f64", "f64"], result: "pointerAsDouble" },
  // double offheap_realloc(double source, double block, double size)
  offheap_realloc: {
    parameters: ["pointerAsDouble", "pointerAsDouble", "f64"],
    result: "pointerAsDouble",
  },
  // void offheap_free(double source, double block)
  offheap_free: { parameters: ["pointerAsDouble", "pointerAsDouble"], result: "void" },
  // double offheap_aligned_alloc(double source, double alignment, double size)
  offheap_aligned_alloc: {
    parameters: ["pointerAsDouble", "f64", "f64"],
    result: "pointerAsDouble",
  },
  // double offheap_usable_size(double source, double block)
  offheap_usable_size: { parameters: ["pointerAsDouble", "pointerAsDouble"], result: "f64" },
  // void offheap_move(double to, double from, double length)
  offheap_move: { parameters: ["pointerAsDouble", "pointerAsDouble", "f64"], result: "void" },
  // void offheap_fill(double to, double byte, double length)
  offheap_fill: { parameters: ["pointerAsDouble", "f64", "f64"], result: "void" },
  // double offheap_magazines_open(double source, double classes, double capacity)
  offheap_magazines_open: {
    parameters: ["pointerAsDouble", "f64", "f64"],
    result: "pointerAsDouble",
  },
  // void offheap_magazines_close(double magazines)
  offheap_magazines_close: { parameters: ["pointerAsDouble"], result: "void" },
  // double offheap_refill(double source, double slots, double count, double size)
  offheap_refill: {
    parameters: ["pointerAsDouble", "pointerAsDouble", "f64", "f64"],
    result: "f64",
  },
  // void offheap_drain(double source, double slots, double drained, double count)
  offheap_drain: {
    parameters: ["pointerAsDouble", "pointerAsDouble", "f64", "f64"],
    result: "void",
  },
  // double offheap_account_open(double source)
  offheap_account_open: { parameters: ["pointerAsDouble"], result: "pointerAsDouble" },
  // void offheap_account_close(double account)
  offheap_account_close: { parameters: ["pointerAsDouble"], result: "void" },
  // void offheap_account_lost(double source, double *out)
  offheap_account_lost: { parameters: ["pointerAsDouble", "buffer"], result: "void" },
  // double offheap_ticket_put(double source, double secret, double block, double size,
  //   double alignment, double release, double depositor)
  offheap_ticket_put: {
    parameters: [
      "pointerAsDouble",
      "f64",
      "pointerAsDouble",
      "f64",
      "f64",
      "pointerAsDouble",
      "pointerAsDouble",
    ],
    result: "f64",
  },
  // int offheap_ticket_take(double source, double number, double secret, double size, double take,
  //   double *out); a status
  offheap_ticket_take: {
    parameters: ["pointerAsDouble", "f64", "f64", "f64", "f64", "buffer"],
    result: "i32",
  },
  // int offheap_ticket_at(double address); 1 when a block waits there
  offheap_ticket_at: { parameters: ["pointerAsDouble"], result: "i32" },
  // double offheap_ticket_sizes(double source, double depositor, double *sizes, double capacity)
  offheap_ticket_sizes: {
    parameters: ["pointerAsDouble", "pointerAsDouble", "buffer", "f64"],
    result: "f64",
  },
  // double offheap_ticket_count(double source)
  offheap_ticket_count: { parameters: ["pointerAsDouble"], result: "f64" },
} as const satisfies SymbolTable;
