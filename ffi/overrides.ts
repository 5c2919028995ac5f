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

/**
 * C++'s operators `new` and `delete`, plain and of arrays, sized, aligned and without exceptions, as
 * they are called where `size_t` is `unsigned long`: `ffi/native/operators.c` defines them.
 */
export const OPERATOR_SYMBOLS: readonly string[] = [
  // C23's, with which it has the sizes in common.
  "free_sized",
  "free_aligned_sized",
  ...["w", "a"].flatMap((kind) => [
    `_Zn${kind}m`,
    `_Zn${kind}mRKSt9nothrow_t`,
    `_Zn${kind}mSt11align_val_t`,
    `_Zn${kind}mSt11align_val_tRKSt9nothrow_t`,
  ]),
  ...["l", "a"].flatMap((kind) => [
    `_Zd${kind}Pv`,
    `_Zd${kind}Pvm`,
    `_Zd${kind}PvRKSt9nothrow_t`,
    `_Zd${kind}PvSt11align_val_t`,
    `_Zd${kind}PvmSt11align_val_t`,
    `_Zd${kind}PvSt11align_val_tRKSt9nothrow_t`,
  ]),
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
