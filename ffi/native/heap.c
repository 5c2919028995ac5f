/*
 * Heaps: a source for each, what a heap of mimalloc holds, and the arenas of jemalloc that wait for
 * their next heap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "memory.h"

static int is_arena(double number) {
    return number >= 0 && number < JEMALLOC_ARENAS;
}

/* The source of one heap: of an arena by its index for jemalloc, of a mi_heap_t for mimalloc. */
EXPORT double offheap_heap_open(double allocator, double heap) {
    const struct source *base = to_source(allocator);
    if (base->kind == JEMALLOC && !is_arena(heap)) return 0;
    struct source *source = malloc(sizeof *source);
    if (source == NULL) return 0;
    *source = *base;
    source->next = NULL;
    if (base->kind == JEMALLOC) {
        source->flags = (int)(((uint32_t)heap + 1) << JEMALLOC_ARENA_SHIFT | JEMALLOC_TCACHE_NONE);
    } else {
        source->heap = to_pointer(heap);
        source->methods = &MIMALLOC_HEAP_METHODS;
    }
    return to_address(source);
}

/* Forgets a heap's source; the heap itself is the allocator's affair. */
EXPORT void offheap_heap_close(double heap) {
    free(to_pointer(heap));
}

/*
 * An arena of jemalloc that was destroyed keeps some KiB and 2 MiB of addresses for ever. So arenas
 * are emptied instead, and used again, by whichever thread makes the next heap.
 */
struct spare {
    struct spare *next;
    int arena;
};

static lock_type spare_lock = LOCK_FREE;

static struct source *allocator_of(double address) {
    return to_pointer(address);
}

/* Keeps an empty arena for the next heap; 0, ENOMEM when there is no memory to note it, or EINVAL. */
EXPORT int offheap_arena_keep(double allocator, double arena) {
    struct source *source = allocator_of(allocator);
    if (!is_arena(arena)) return EINVAL;
    struct spare *spare = malloc(sizeof *spare);
    if (spare == NULL) return ENOMEM;
    spare->arena = (int)arena;
    lock(&spare_lock);
    spare->next = source->spares;
    source->spares = spare;
    unlock(&spare_lock);
    return 0;
}

/* An arena that was kept, or -1. */
EXPORT int offheap_arena_reuse(double allocator) {
    struct source *source = allocator_of(allocator);
    lock(&spare_lock);
    struct spare *spare = source->spares;
    if (spare != NULL) source->spares = spare->next;
    unlock(&spare_lock);
    if (spare == NULL) return -1;
    int arena = spare->arena;
    free(spare);
    return arena;
}

static _Bool add_area(const void *heap, const struct mi_area *area, void *block, size_t size, void *sums) {
    (void)heap, (void)block, (void)size;
    double *out = sums;
    out[0] += (double)area->used * (double)area->block_size;
    out[1] += (double)area->committed;
    out[2] += (double)area->reserved;
    return 1;
}

/* Sums over the areas of a mimalloc heap, by its source: bytes allocated, committed and reserved. */
EXPORT void offheap_mimalloc_heap_areas(double heap, double *sums) {
    const struct source *of = to_source(heap);
    for (int i = 0; i < 3; i++) sums[i] = 0;
    /* It answers false for an empty heap, which leaves the sums at 0. */
    of->call.mi_heap_visit_blocks(of->heap, 0, add_area, sums);
}
