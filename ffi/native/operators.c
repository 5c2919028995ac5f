/*
 * C++'s operators new and delete, see operators.h. This follows an allocator's own source in one unit,
 * so that an allocation takes no step more than malloc and a deletion is free itself. The unit defines
 * one of OFFHEAP_JEMALLOC, OFFHEAP_MIMALLOC and OFFHEAP_GUARD.
 */
#include "operators.h"

#define OFFHEAP_TEXT(name) #name
#define OFFHEAP_NAME(name) OFFHEAP_TEXT(name)
#define OFFHEAP_OPERATOR __attribute__((visibility("default")))
#define OFFHEAP_SAME_AS(name) __attribute__((visibility("default"), alias(OFFHEAP_NAME(name))))

#if defined(OFFHEAP_JEMALLOC)

#define OFFHEAP_FREE je_free
#define OFFHEAP_MALLOC je_malloc
#define OFFHEAP_ALIGNED(size, alignment) je_aligned_alloc(alignment, size)
#define OFFHEAP_FREE_SIZED(block, size) \
    do { if ((block) != NULL) je_sdallocx_noflags(block, size); } while (0)

/* jemalloc's fast path ends in a jump to what it is given. */
#define OFFHEAP_GIVE(name, failed) return imalloc_fastpath(size, &name##_slow);
#define OFFHEAP_SLOW(name, failed)                                           \
    static __attribute__((noinline)) void *name##_slow(size_t size) {          \
        void *block = malloc_default(size);                                      \
        return __builtin_expect(block != NULL, 1) ? block : failed(size, 0);     \
    }

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

#define OFFHEAP_SLOW(name, failed)
#define OFFHEAP_GIVE(name, failed)                                           \
    void *block = OFFHEAP_MALLOC(size);                                        \
    return __builtin_expect(block != NULL, 1) ? block : failed(size, 0);

#endif

#define OFFHEAP_GIVE_ALIGNED(failed)                                         \
    void *block = OFFHEAP_ALIGNED(size, alignment);                            \
    return __builtin_expect(block != NULL, 1) ? block : failed(size, alignment);

/* A form that others are built on. */
#define OFFHEAP_FIRST(result, name, parameters, body) OFFHEAP_OPERATOR result name parameters { body }

/* A form that C++ builds on another: where that is elsewhere, it is a call of the next. */
#define OFFHEAP_FORM(result, name, parameters, arguments, body)              \
    OFFHEAP_OPERATOR result name parameters;                                   \
    static __attribute__((noinline, cold)) result name##_elsewhere parameters { \
        void *next = offheap_next_operators[OFFHEAP_PLACE_##name];               \
        if (next != NULL) return ((__typeof__(&name))next) arguments;            \
        body                                                                     \
    }                                                                          \
    OFFHEAP_OPERATOR result name parameters {                                  \
        if (__builtin_expect(offheap_operators_elsewhere, 0)) return name##_elsewhere arguments; \
        body                                                                     \
    }

/* A reference to std::nothrow, which nobody reads. */
typedef const void *offheap_tag;

void *offheap_new_attempt(size_t size, size_t alignment) {
    return alignment == 0 ? OFFHEAP_MALLOC(size) : OFFHEAP_ALIGNED(size, alignment);
}

OFFHEAP_SLOW(_Znwm, offheap_new_failed)
OFFHEAP_FIRST(void *, _Znwm, (size_t size), OFFHEAP_GIVE(_Znwm, offheap_new_failed))
OFFHEAP_FORM(void *, _Znam, (size_t size), (size), OFFHEAP_GIVE(_Znwm, offheap_new_failed))
OFFHEAP_SLOW(_ZnwmRKSt9nothrow_t, offheap_new_nothrow_failed)
OFFHEAP_FORM(void *, _ZnwmRKSt9nothrow_t, (size_t size, offheap_tag tag), (size, tag),
             OFFHEAP_GIVE(_ZnwmRKSt9nothrow_t, offheap_new_nothrow_failed))
OFFHEAP_FORM(void *, _ZnamRKSt9nothrow_t, (size_t size, offheap_tag tag), (size, tag),
             OFFHEAP_GIVE(_ZnwmRKSt9nothrow_t, offheap_new_nothrow_failed))
OFFHEAP_FIRST(void *, _ZnwmSt11align_val_t, (size_t size, size_t alignment),
              OFFHEAP_GIVE_ALIGNED(offheap_new_failed))
OFFHEAP_FORM(void *, _ZnamSt11align_val_t, (size_t size, size_t alignment), (size, alignment),
             OFFHEAP_GIVE_ALIGNED(offheap_new_failed))
OFFHEAP_FORM(void *, _ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, offheap_tag tag),
             (size, alignment, tag), OFFHEAP_GIVE_ALIGNED(offheap_new_nothrow_failed))
OFFHEAP_FORM(void *, _ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, offheap_tag tag),
             (size, alignment, tag), OFFHEAP_GIVE_ALIGNED(offheap_new_nothrow_failed))

/* What is known of a block, other than its size, is passed over; of an aligned one its size, too: its
   size class is not that of the size alone. */
void _ZdlPv(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
void _ZdlPvSt11align_val_t(void *) OFFHEAP_SAME_AS(OFFHEAP_FREE);
OFFHEAP_FORM(void, _ZdaPv, (void *block), (block), OFFHEAP_FREE(block);)
OFFHEAP_FORM(void, _ZdlPvRKSt9nothrow_t, (void *block, offheap_tag tag), (block, tag), OFFHEAP_FREE(block);)
OFFHEAP_FORM(void, _ZdaPvRKSt9nothrow_t, (void *block, offheap_tag tag), (block, tag), OFFHEAP_FREE(block);)
OFFHEAP_FORM(void, _ZdaPvSt11align_val_t, (void *block, size_t alignment), (block, alignment),
             OFFHEAP_FREE(block);)
OFFHEAP_FORM(void, _ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, offheap_tag tag),
             (block, alignment, tag), OFFHEAP_FREE(block);)
OFFHEAP_FORM(void, _ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, offheap_tag tag),
             (block, alignment, tag), OFFHEAP_FREE(block);)
OFFHEAP_FORM(void, _ZdlPvm, (void *block, size_t size), (block, size), OFFHEAP_FREE_SIZED(block, size);)
OFFHEAP_FORM(void, _ZdaPvm, (void *block, size_t size), (block, size), OFFHEAP_FREE_SIZED(block, size);)
OFFHEAP_FORM(void, _ZdlPvmSt11align_val_t, (void *block, size_t size, size_t alignment),
             (block, size, alignment), OFFHEAP_FREE(block);)
OFFHEAP_FORM(void, _ZdaPvmSt11align_val_t, (void *block, size_t size, size_t alignment),
             (block, size, alignment), OFFHEAP_FREE(block);)

/* What C23 has of the kind, and some allocators besides: it must not free another's either. */
OFFHEAP_OPERATOR void free_sized(void *block, size_t size) { OFFHEAP_FREE_SIZED(block, size); }
void free_aligned_sized(void *, size_t, size_t) OFFHEAP_SAME_AS(OFFHEAP_FREE);
