/**
 * gperftools' tcmalloc, as it is asked for what it owns. Google's newer one has no C names for that.
 *
 * @module
 */
import type { SymbolTable } from "../types.ts";

/** The functions that offheap calls in tcmalloc. */
export const TCMALLOC_SYMBOLS = {
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
} as const satisfies SymbolTable;
