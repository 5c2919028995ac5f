/*
 * What the parts of the shim that serve memory share: where blocks come from.
 */
#ifndef OFFHEAP_MEMORY_H
#define OFFHEAP_MEMORY_H

#include <stddef.h>

#include "numbers.h"
#include "platform/platform.h"

enum kind { JEMALLOC = 1, MIMALLOC = 2, SYSTEM = 3 };

/* jemalloc's flags, from its jemalloc_macros.h: MALLOCX_ZERO, MALLOCX_TCACHE_NONE, MALLOCX_ARENA. */
#define JEMALLOC_ZERO 0x40
#define JEMALLOC_TCACHE_NONE 0x100
#define JEMALLOC_ARENA_SHIFT 20
/* The numbers of arenas that these flags can hold, from 0 on: jemalloc's MALLOCX_ARENA_LIMIT. */
#define JEMALLOC_ARENAS 4095

_Static_assert((uint64_t)JEMALLOC_ARENAS << JEMALLOC_ARENA_SHIFT <= UINT32_MAX, "they fit the flags");

/* Every block is aligned at least to this, as C's max_align_t is. */
#define MIN_ALIGNMENT 16

/* The first fields of mimalloc's mi_heap_area_t, the same in 2.0 to 3.7. */
struct mi_area {
    void *blocks;
    size_t reserved, committed, used, block_size;
};

/* mi_block_visit_fun */
typedef _Bool (*mi_visitor)(const void *heap, const struct mi_area *area, void *block, size_t size,
                            void *argument);

/* An allocator's functions, bound once a process. */
struct functions {
    /* The C interface. */
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    size_t (*malloc_usable_size)(void *block);
    /* jemalloc's. */
    void *(*mallocx)(size_t size, int flags);
    void *(*rallocx)(void *block, size_t size, int flags);
    void (*dallocx)(void *block, int flags);
    /* mimalloc's, NULL elsewhere. */
    void *(*mi_zalloc)(size_t size);
    void *(*mi_malloc_aligned)(size_t size, size_t alignment);
    void *(*mi_zalloc_aligned)(size_t size, size_t alignment);
    void *(*mi_realloc_aligned)(void *block, size_t size, size_t alignment);
    void *(*mi_heap_malloc_aligned)(void *heap, size_t size, size_t alignment);
    void *(*mi_heap_zalloc_aligned)(void *heap, size_t size, size_t alignment);
    void *(*mi_heap_realloc_aligned)(void *heap, void *block, size_t size, size_t alignment);
    _Bool (*mi_heap_visit_blocks)(const void *heap, _Bool blocks, mi_visitor visitor, void *argument);
};

struct source;
struct spare;

/* How blocks of a source are allocated, moved and freed. An alignment is a power of two. */
struct methods {
    void *(*allocate)(const struct source *source, size_t size, size_t alignment, int zeroed);
    void *(*reallocate)(const struct source *source, void *block, size_t size, size_t alignment);
    void (*release)(const struct source *source, void *block);
};

/* How blocks of each kind are, and those of one heap of mimalloc. */
extern const struct methods METHODS[SYSTEM + 1];
extern const struct methods MIMALLOC_HEAP_METHODS;

/* Where blocks come from: an allocator as a whole, or one heap of it. */
struct source {
    struct functions call;
    const struct methods *methods;
    /* The allocator's source that a heap belongs to; its own for an allocator. */
    const struct source *allocator;
    /* jemalloc: the flags of the heap's arena. */
    int flags;
    /* mimalloc: the heap. */
    void *heap;
    /* The next allocator that is bound, and the object that it was bound to. */
    struct source *next;
    void *object;
    int kind;
    /* jemalloc: arenas that heaps have left empty, for the next ones; see heap.c. */
    struct spare *spares;
    /* What allocators of JavaScript's had in use when their threads ended; see account.c. */
    double lost_blocks, lost_bytes;
};

/* Blocks that an account has deposited are nobody's from now on; see transfer.c. */
void forget_depositor(double account);

static inline const struct source *to_source(double address) {
    return to_pointer(address);
}

#endif
