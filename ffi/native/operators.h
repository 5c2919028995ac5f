/*
 * C++'s operators new and delete, in C: what follows an allocator's own source in one unit, so that
 * an allocation takes no step more than malloc and a deletion is free itself. They are part of a
 * library on ELF, since an operator of another allocator beside our malloc would free what is ours.
 *
 * Names are mangled for a size_t of unsigned long. The unit defines one of OFFHEAP_JEMALLOC,
 * OFFHEAP_MIMALLOC and OFFHEAP_GUARD. What happens when memory runs out is in operators.c.
 */
#ifndef OFFHEAP_OPERATORS_H
#define OFFHEAP_OPERATORS_H

#include <stddef.h>

_Static_assert(sizeof(size_t) == sizeof(unsigned long), "the operators are mangled for unsigned long");

/* Called where malloc(size) gave NULL, or an aligned one did (alignment 0: the plain operator). The
   throwing kind returns memory, throws, or ends the process; the other may return NULL. */
void *offheap_new_failed(size_t size, size_t alignment) __attribute__((visibility("hidden")));
void *offheap_new_nothrow_failed(size_t size, size_t alignment) __attribute__((visibility("hidden")));

/* The allocation without any handler, for operators.c. */
void *offheap_new_attempt(size_t size, size_t alignment) __attribute__((visibility("hidden")));

#ifdef OFFHEAP_OPERATORS_HERE

#define OFFHEAP_TEXT(name) #name
#define OFFHEAP_NAME(name) OFFHEAP_TEXT(name)
#define OFFHEAP_OPERATOR __attribute__((visibility("default")))
#define OFFHEAP_SAME_AS(name) __attribute__((visibility("default"), alias(OFFHEAP_NAME(name))))
#define OFFHEAP_SLOW static __attribute__((noinline))

#if defined(OFFHEAP_JEMALLOC)

#define OFFHEAP_FREE je_free
#define OFFHEAP_MALLOC je_malloc
#define OFFHEAP_ALIGNED(size, alignment) je_aligned_alloc(alignment, size)
#define OFFHEAP_FREE_SIZED(block, size) \
    do { if ((block) != NULL) je_sdallocx_noflags(block, size); } while (0)

/* jemalloc's fast path ends in a jump to what it is given. */
#define OFFHEAP_NEW(name, failed)                                            \
    OFFHEAP_SLOW void *name##_slow(size_t size) {                              \
        void *block = malloc_default(size);                                      \
        return __builtin_expect(block != NULL, 1) ? block : failed(size, 0);     \
    }                                                                          \
    OFFHEAP_OPERATOR void *name(size_t size) { return imalloc_fastpath(size, &name##_slow); }

#else

#if defined(OFFHEAP_GUARD)

/* The guarding layer's, which defines the C library's names. */
#define OFFHEAP_FREE free
#define OFFHEAP_MALLOC malloc
#define OFFHEAP_ALIGNED(size, alignment) aligned_alloc(alignment, size)
#define OFFHEAP_FREE_SIZED(block, size) do { (void)(size); free(block); } while (0)

#elif defined(OFFHEAP_MIMALLOC)

#define OFFHEAP_FREE mi_free
#define OFFHEAP_MALLOC mi_malloc
#define OFFHEAP_ALIGNED(size, alignment) mi_malloc_aligned(size, alignment)
#define OFFHEAP_FREE_SIZED(block, size) mi_free_size(block, size)

#endif

#define OFFHEAP_NEW(name, failed)                                            \
    OFFHEAP_OPERATOR void *name(size_t size) {                                 \
        void *block = OFFHEAP_MALLOC(size);                                      \
        return __builtin_expect(block != NULL, 1) ? block : failed(size, 0);     \
    }

#endif

#define OFFHEAP_NEW_ALIGNED(name, failed)                                    \
    OFFHEAP_OPERATOR void *name(size_t size, size_t alignment) {               \
        void *block = OFFHEAP_ALIGNED(size, alignment);                          \
        return __builtin_expect(block != NULL, 1) ? block : failed(size, alignment); \
    }

void *offheap_new_attempt(size_t size, size_t alignment) {
    return alignment == 0 ? OFFHEAP_MALLOC(size) : OFFHEAP_ALIGNED(size, alignment);
}

/* new and new[]; the tag of a nothrow form is a reference that nobody reads. */
OFFHEAP_NEW(_Znwm, offheap_new_failed)
OFFHEAP_NEW(_ZnwmRKSt9nothrow_t, offheap_new_nothrow_failed)
OFFHEAP_NEW_ALIGNED(_ZnwmSt11align_val_t, offheap_new_failed)
OFFHEAP_NEW_ALIGNED(_ZnwmSt11align_val_tRKSt9nothrow_t, offheap_new_nothrow_failed)
void *_Znam(size_t) OFFHEAP_SAME_AS(_Znwm);
void *_ZnamRKSt9nothrow_t(size_t) OFFHEAP_SAME_AS(_ZnwmRKSt9nothrow_t);
void *_ZnamSt11align_val_t(size_t, size_t) OFFHEAP_SAME_AS(_ZnwmSt11align_val_t);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t)
        OFFHEAP_SAME_AS(_ZnwmSt11align_val_tRKSt9nothrow_t);

/* delete and delete[]: what is known of the block, other than its size, is passed over. */
void _ZdlPv(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdaPv(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdlPvRKSt9nothrow_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdaPvRKSt9nothrow_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdlPvSt11align_val_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdaPvSt11align_val_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
OFFHEAP_OPERATOR void _ZdlPvm(void *block, size_t size) { OFFHEAP_FREE_SIZED(block, size); }
void _ZdaPvm(void *, size_t) OFFHEAP_SAME_AS(_ZdlPvm);
/* What C23 has of the kind, and some allocators besides: it must not free another's either. */
void free_sized(void *, size_t) OFFHEAP_SAME_AS(_ZdlPvm);
void free_aligned_sized(void *, size_t, size_t) OFFHEAP_SAME_AS(OFFHEAP_FREE);
/* The size class of an aligned block is not that of its size alone. */
void _ZdlPvmSt11align_val_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdaPvmSt11align_val_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);

#endif
#endif
