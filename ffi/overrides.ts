/**
 * The names by which a preloaded allocator takes the place of libc's.
 *
 * @module
 */

/** The C library's allocation functions that every allocator has on every system. */
export const STANDARD_MALLOC_SYMBOLS: readonly string[] = [
  "malloc",
  "calloc",
  "realloc",
  "free",
  "posix_memalign",
  "aligned_alloc",
  "malloc_usable_size",
];

/** Those that a preloaded allocator defines, in every build. */
export const MALLOC_SYMBOLS: readonly string[] = [
  ...STANDARD_MALLOC_SYMBOLS,
  "memalign",
  "valloc",
];

/** More of them, defined where the allocator and the C library have them. */
export const OPTIONAL_MALLOC_SYMBOLS: readonly string[] = [
  "cfree",
  "pvalloc",
  "reallocarray",
  "__libc_malloc",
  "__libc_calloc",
  "__libc_realloc",
  "__libc_free",
  "__libc_cfree",
  "__libc_memalign",
  "__libc_valloc",
  "__libc_pvalloc",
  "__posix_memalign",
];
