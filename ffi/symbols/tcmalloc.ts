/**
 * gperftools' tcmalloc, by the names that no other allocator has. Google's newer one has not all of them.
 *
 * @module
 */
import type { SymbolTable } from "../types.ts";

/** The functions that offheap calls in tcmalloc. */
export const TCMALLOC_SYMBOLS = {
  // void* tc_malloc(size_t size)
  tc_malloc: { parameters: ["usize"], result: "pointer" },
  // void tc_free(void* ptr)
  tc_free: { parameters: ["pointer"], result: "void" },
  // const char* tc_version(int* major, int* minor, const char** patch)
  tc_version: {
    parameters: ["buffer", "buffer", "buffer"],
    result: "pointer",
    optional: true,
  },
  // MallocExtension_Ownership MallocExtension_GetOwnership(const void* p): 1 owned, 2 not owned
  MallocExtension_GetOwnership: { parameters: ["pointer"], result: "i32", optional: true },
  // int MallocExtension_GetNumericProperty(const char* property, size_t* value): 0 for no such one
  MallocExtension_GetNumericProperty: {
    parameters: ["cstring", "buffer"],
    result: "i32",
    optional: true,
  },
  // void MallocExtension_ReleaseFreeMemory(void)
  MallocExtension_ReleaseFreeMemory: { parameters: [], result: "void", optional: true },
  // void MallocExtension_MarkThreadIdle(void): its cache goes back, until it allocates again
  MallocExtension_MarkThreadIdle: { parameters: [], result: "void", optional: true },
} as const satisfies SymbolTable;
