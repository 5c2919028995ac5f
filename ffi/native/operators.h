/*
 * C++'s operators new and delete, in C: operators.c defines them over an allocator, and
 * operators-failed.c does what happens when memory runs out. They are part of a library on ELF, since
 * an operator of another allocator beside our malloc would free what is ours. Names are mangled for a
 * size_t of unsigned long.
 */
#ifndef OFFHEAP_OPERATORS_H
#define OFFHEAP_OPERATORS_H

#include <stddef.h>

_Static_assert(sizeof(size_t) == sizeof(unsigned long), "the operators are mangled for unsigned long");

/* Called where malloc(size) gave NULL, or an aligned one did (alignment 0: the plain operator). The
   throwing kind returns memory, throws, or ends the process; the other may return NULL. */
void *offheap_new_failed(size_t size, size_t alignment) __attribute__((visibility("hidden")));
void *offheap_new_nothrow_failed(size_t size, size_t alignment) __attribute__((visibility("hidden")));

/* Whether the program, or a library before this one, defines some of the operators itself. The forms
   that it leaves out are then the C++ runtime library's, which build on it as the standard says: a
   delete with a size, for one, calls its delete without. */
extern _Bool offheap_operators_elsewhere __attribute__((visibility("hidden")));

#define OFFHEAP_OPERATORS(each)                                               \
    each(_Znwm) each(_ZnwmRKSt9nothrow_t)                                       \
    each(_ZnwmSt11align_val_t) each(_ZnwmSt11align_val_tRKSt9nothrow_t)         \
    each(_Znam) each(_ZnamRKSt9nothrow_t)                                       \
    each(_ZnamSt11align_val_t) each(_ZnamSt11align_val_tRKSt9nothrow_t)         \
    each(_ZdlPv) each(_ZdlPvRKSt9nothrow_t)                                     \
    each(_ZdlPvSt11align_val_t) each(_ZdlPvSt11align_val_tRKSt9nothrow_t)       \
    each(_ZdaPv) each(_ZdaPvRKSt9nothrow_t)                                     \
    each(_ZdaPvSt11align_val_t) each(_ZdaPvSt11align_val_tRKSt9nothrow_t)       \
    each(_ZdlPvm) each(_ZdlPvmSt11align_val_t) each(_ZdaPvm) each(_ZdaPvmSt11align_val_t)

#define OFFHEAP_PLACE(name) OFFHEAP_PLACE_##name,
enum { OFFHEAP_OPERATORS(OFFHEAP_PLACE) OFFHEAP_PLACES };

/* The runtime library's forms, found at the start; NULL where it is missing. */
extern void *offheap_next_operators[OFFHEAP_PLACES] __attribute__((visibility("hidden")));

/* The allocation without any handler, for operators-failed.c. */
void *offheap_new_attempt(size_t size, size_t alignment) __attribute__((visibility("hidden")));

#endif
