/*
 * What the parts of the shim that serve memory share: where blocks come from.
 *
 * Sizes and addresses cross from JavaScript as doubles, which hold each of them exactly up to 2^53
 * and which every runtime passes fastest.
 */
#ifndef OFFHEAP_MEMORY_H
#define OFFHEAP_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "platform/platform.h"

enum kind { JEMALLOC = 1, MIMALLOC = 2, SYSTEM = 3 };

/* jemalloc's flags, from its jemalloc_macros.h: MALLOCX_ZERO, MALLOCX_TCACHE_NONE, MALLOCX_ARENA. */
#define JEMALLOC_ZERO 0x40
#define JEMALLOC_TCACHE_NONE 0x100
#define JEMALLOC_ARENA_SHIFT 20

/* Every block is aligned at least to this, as C's max_align_t is. */
#define LEAST_ALIGNMENT 16

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
};

struct source;
struct spare;

/* How blocks of a source are allocated, moved and freed. An alignment is a power of two. */
struct methods {
    void *(*allocate)(const struct source *source, size_t size, size_t alignment, int zeroed);
    void *(*reallocate)(const struct source *source, void *block, size_t size, size_t alignment);
    void (*release)(const struct source *source, void *block);
};

/* How blocks of one heap of mimalloc are. */
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

static inline void *to_pointer(double address) {
    return (void *)(intptr_t)address;
}

static inline double to_address(const void *pointer) {
    return (double)(intptr_t)pointer;
}

/* NaN, what is below 0 and what no size_t holds become the greatest size, which nobody has. */
static inline size_t to_size(double size) {
    return size >= 0 && size < 0x1p63 ? (size_t)size : SIZE_MAX;
}

static inline const struct source *to_source(double address) {
    return to_pointer(address);
}

#endif
