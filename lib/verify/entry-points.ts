/**
 * The functions by which a program gets memory and gives it back. `ffi/native/serving/elf.c` has the
 * same lists.
 *
 * @module
 */

/** Functions of C; one object serves them all, or none of them can be relied on. */
export const ENTRY_POINTS = [
  "malloc",
  "free",
  "calloc",
  "realloc",
  "posix_memalign",
  "aligned_alloc",
  "memalign",
  "valloc",
  "malloc_usable_size",
] as const;

/** Functions that an allocator may leave to the C library. */
export const LEFT_TO_LIBC: readonly string[] = ["reallocarray", "pvalloc", "cfree"];

/** By which symbol the C library is known. */
export const LIBC_SYMBOL = "__libc_start_main";

/** How C++ names the kinds of its operators: plain, for arrays, and what they take besides. */
const NEW = ["_Znwm", "_Znam"];
const DELETE = ["_ZdlPv", "_ZdaPv"];
const NOTHROW = "RKSt9nothrow_t";
const ALIGNED = "St11align_val_t";

/**
 * C++'s `operator new` and `delete` (64-bit names). A library that has no malloc may define them, as
 * libstdc++ does, whose operators call malloc.
 */
export const OPERATORS: readonly string[] = [
  ...NEW.flatMap((name) => ["", NOTHROW, ALIGNED, `${ALIGNED}${NOTHROW}`].map((end) => name + end)),
  ...DELETE.flatMap((name) =>
    ["", NOTHROW, ALIGNED, `${ALIGNED}${NOTHROW}`, "m", `m${ALIGNED}`].map((end) => name + end)
  ),
];
