/**
 * jemalloc's symbols, of jemalloc 5.
 *
 * @module
 */
import process from "node:process";
import type { SymbolTable } from "../types.ts";

/** The functions that offheap calls in jemalloc. */
export const JEMALLOC_SYMBOLS = {
  // int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen)
  mallctl: { parameters: ["cstring", "buffer", "buffer", "buffer", "usize"], result: "i32" },
  // int mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
  mallctlnametomib: { parameters: ["cstring", "buffer", "buffer"], result: "i32" },
  // int mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp, void *newp,
  //   size_t newlen)
  mallctlbymib: {
    parameters: ["buffer", "usize", "buffer", "buffer", "buffer", "usize"],
    result: "i32",
  },
  // void *mallocx(size_t size, int flags)
  mallocx: { parameters: ["usize", "i32"], result: "pointer" },
  // void dallocx(void *ptr, int flags)
  dallocx: { parameters: ["pointer", "i32"], result: "void" },
  // size_t sallocx(const void *ptr, int flags)
  sallocx: { parameters: ["pointer", "i32"], result: "usize" },
  // size_t nallocx(size_t size, int flags)
  nallocx: { parameters: ["usize", "i32"], result: "usize" },
} as const satisfies SymbolTable;

/** Systems where the C library's names cannot be taken over by defining them. */
const PREFIXED: ReadonlySet<string> = new Set(["darwin", "win32"]);

/**
 * The prefix of all of jemalloc's names on a platform: `je_` on macOS and Windows, where an
 * allocator cannot take the C library's names (Homebrew's build has it, too), nothing elsewhere.
 * `JEMALLOC_PREFIX` in `ffi/native/` is the same.
 */
export function jemallocPrefix(platform: string): string {
  return PREFIXED.has(platform) ? "je_" : "";
}

/** The prefix on this system. */
export const JEMALLOC_PREFIX: string = jemallocPrefix(process.platform);

/** What the shim binds in jemalloc besides the C library's names: `BINDINGS` in bind.c. */
export const JEMALLOC_SHIM_SYMBOLS: readonly string[] = ["mallocx", "rallocx", "dallocx"];
