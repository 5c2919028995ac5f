/*
 * Heaps: a source for each, what a heap of mimalloc holds, and the arenas of jemalloc that wait for
 * their next heap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* The source of one heap: of an arena by its number for jemalloc, of a mi_heap_t for mimalloc. */
EXPORT double offheap_heap_open(double allocator, double heap) {
    const struct source *base = to_source(allocator);
    struct source *source = malloc(sizeof *source);
    if (source == NULL) return 0;
    *source = *base;
    source->next = NULL;
    if (base->kind == JEMALLOC) {
        source->flags = (((int)heap + 1) << JEMALLOC_ARENA_SHIFT) | JEMALLOC_TCACHE_NONE;
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

/* Keeps an empty arena for the next heap; 0, or ENOMEM when there is no memory to note it. */
EXPORT int offheap_arena_keep(double allocator, double arena) {
    struct source *source = allocator_of(allocator);
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

struct area {
    void *blocks;
    size_t reserved, committed, used, block_size;
};

static _Bool add_area(const void *heap, const struct area *area, void *block, size_t size, void *sums) {
    (void)heap, (void)block, (void)size;
    double *out = sums;
    out[0] += (double)area->used * (double)area->block_size;
    out[1] += (double)area->committed;
    out[2] += (double)area->reserved;
    out[3] += (double)area->used;
    return 1;
}

typedef _Bool (*mi_visitor)(const void *, const struct area *, void *, size_t, void *);

/*
 * Sums over the areas of a mimalloc heap: bytes allocated, committed and reserved, and blocks. The
 * first five fields of mi_heap_area_t are the same in mimalloc 2.0 to 3.4.
 */
EXPORT int offheap_mimalloc_heap_areas(const char *path, double heap, double *sums) {
    _Bool (*visit)(const void *, _Bool, mi_visitor, void *);
    void *object = open_object(path, NULL, 0);
    if (object == NULL) return ENOENT;
    *(void **)&visit = find_in_object(object, "mi_heap_visit_blocks");
    if (visit == NULL) return ENOENT;
    memset(sums, 0, 4 * sizeof *sums);
    /* It answers false for an empty heap, which leaves the sums at 0. */
    visit(to_pointer(heap), 0, add_area, sums);
    return 0;
}
