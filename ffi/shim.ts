/**
 * The symbols of offheap's own C shim, `ffi/native/offheap.c`.
 *
 * @module
 */
import type { SymbolTable } from "./types.ts";

/** The functions that offheap calls in its shim. */
export const SHIM_SYMBOLS = {
  // int offheap_abi_version(void)
  offheap_abi_version: { parameters: [], result: "i32" },
  // int offheap_exec(const char *path, char *const argv[], char *const envp[]); returns errno
  offheap_exec: { parameters: ["cstring", "buffer", "buffer"], result: "i32" },
  // int offheap_glibc_in_use(uint64_t *bytes); 0, or ENOSYS where libc has no mallinfo
  offheap_glibc_in_use: { parameters: ["buffer"], result: "i32" },
} as const satisfies SymbolTable;
