/**
 * The functions by which a program gets memory and gives it back, which a preloaded allocator defines
 * in libc's place. `ffi/native/serving/elf.c` and `elf-operators.c` have the same lists.
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

/**
 * Those that a preloaded allocator defines, in every build; one object serves them all, or none of them
 * can be relied on.
 */
export const MALLOC_SYMBOLS: readonly string[] = [
  ...STANDARD_MALLOC_SYMBOLS,
  "memalign",
  "valloc",
];

/**
 * C++'s operators `new` and `delete`, plain and of arrays, sized, aligned and without exceptions, as
 * they are called where `size_t` is `unsigned long`. A library that has no malloc may define them, as
 * libstdc++ does, whose operators call malloc.
 */
export const OPERATORS: readonly string[] = [
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

/** What `ffi/native/operators.c` defines: C23's functions have the sizes in common with them. */
export const OPERATOR_SYMBOLS: readonly string[] = [
  "free_sized",
  "free_aligned_sized",
  ...OPERATORS,
];

/** Functions that an allocator may leave to the C library. */
export const LEFT_TO_LIBC: readonly string[] = ["cfree", "pvalloc", "reallocarray"];

/** By which symbol the C library is known. */
export const LIBC_SYMBOL = "__libc_start_main";

/** More of them, defined where the allocator and the C library have them. */
export const OPTIONAL_MALLOC_SYMBOLS: readonly string[] = [
  ...LEFT_TO_LIBC,
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
