/*
 * Blocks for JavaScript: an allocator's functions, called with doubles.
 *
 * Nothing here checks an argument: JavaScript has done so before it calls.
 */
#define _GNU_SOURCE
#include <string.h>

#include "memory.h"
#include "mimalloc-aligned.h"
#include "platform/system-malloc.h"

static inline size_t least(size_t size) {
    return size < MIN_ALIGNMENT ? MIN_ALIGNMENT : size;
}

static inline int jemalloc_flags(const struct source *source, size_t alignment, int zeroed) {
    /* What is no size becomes 2^63, which jemalloc refuses. */
    int lg_alignment = alignment > MIN_ALIGNMENT ? 63 - __builtin_clzll(alignment) : 0;
    return source->flags | lg_alignment | (zeroed ? JEMALLOC_ZERO : 0);
}

static void *jemalloc_allocate(const struct source *source, size_t size, size_t alignment, int zeroed) {
    return source->call.mallocx(least(size), jemalloc_flags(source, alignment, zeroed));
}

static void *jemalloc_reallocate(const struct source *source, void *block, size_t size, size_t alignment) {
    return source->call.rallocx(block, least(size), jemalloc_flags(source, alignment, 0));
}

static void jemalloc_release(const struct source *source, void *block) {
    source->call.dallocx(block, source->flags);
}

static void *mimalloc_allocate(const struct source *source, size_t size, size_t alignment, int zeroed) {
    const struct functions *call = &source->call;
    if (alignment > MIN_ALIGNMENT) {
        return zeroed ? call->mi_zalloc_aligned(size, alignment)
                      : call->mi_malloc_aligned(mimalloc_aligned_size(size, alignment), alignment);
    }
    return zeroed ? call->mi_zalloc(least(size)) : call->malloc(least(size));
}

static void *mimalloc_reallocate(const struct source *source, void *block, size_t size, size_t alignment) {
    const struct functions *call = &source->call;
    return alignment > MIN_ALIGNMENT ? call->mi_realloc_aligned(block, size, alignment)
                                       : call->realloc(block, least(size));
}

static void plain_release(const struct source *source, void *block) {
    source->call.free(block);
}

static void *mimalloc_heap_allocate(const struct source *source, size_t size, size_t alignment, int zeroed) {
    const struct functions *call = &source->call;
    size = least(size);
    return zeroed ? call->mi_heap_zalloc_aligned(source->heap, size, alignment)
                  : call->mi_heap_malloc_aligned(source->heap, mimalloc_aligned_size(size, alignment),
                                                 alignment);
}

static void *mimalloc_heap_reallocate(const struct source *source, void *block, size_t size, size_t alignment) {
    return source->call.mi_heap_realloc_aligned(source->heap, block, least(size), alignment);
}

static void *system_allocate(const struct source *source, size_t size, size_t alignment, int zeroed) {
    if (alignment <= MIN_ALIGNMENT) {
        return zeroed ? source->call.calloc(1, least(size)) : source->call.malloc(least(size));
    }
    void *block = system_aligned(alignment, least(size));
    if (block != NULL && zeroed) memset(block, 0, size);
    return block;
}

/* C has no aligned realloc: an aligned block moves, unless it stays aligned by itself. */
static void *system_reallocate(const struct source *source, void *block, size_t size, size_t alignment) {
    if (alignment <= MIN_ALIGNMENT) return source->call.realloc(block, least(size));
    size_t old = source->call.malloc_usable_size(block);
    void *moved = system_allocate(source, size, alignment, 0);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old < size ? old : size);
    source->call.free(block);
    return moved;
}

const struct methods METHODS[] = {
    [JEMALLOC] = {jemalloc_allocate, jemalloc_reallocate, jemalloc_release},
    [MIMALLOC] = {mimalloc_allocate, mimalloc_reallocate, plain_release},
    [SYSTEM] = {system_allocate, system_reallocate, plain_release},
};

const struct methods MIMALLOC_HEAP_METHODS = {
    mimalloc_heap_allocate,
    mimalloc_heap_reallocate,
    plain_release,
};

EXPORT double offheap_allocate(double source, double size, double alignment, double zeroed) {
    const struct source *from = to_source(source);
    return to_address(from->methods->allocate(from, to_size(size), to_size(alignment), zeroed != 0));
}

/* 0 leaves the block as it was. */
EXPORT double offheap_reallocate(double source, double block, double size, double alignment) {
    const struct source *from = to_source(source);
    return to_address(from->methods->reallocate(from, to_pointer(block), to_size(size), to_size(alignment)));
}

EXPORT void offheap_release(double source, double block) {
    const struct source *from = to_source(source);
    from->methods->release(from, to_pointer(block));
}

EXPORT double offheap_malloc(double source, double size) {
    return to_address(to_source(source)->call.malloc(to_size(size)));
}

EXPORT double offheap_calloc(double source, double count, double size) {
    return to_address(to_source(source)->call.calloc(to_size(count), to_size(size)));
}

EXPORT double offheap_realloc(double source, double block, double size) {
    return to_address(to_source(source)->call.realloc(to_pointer(block), to_size(size)));
}

EXPORT void offheap_free(double source, double block) {
    to_source(source)->call.free(to_pointer(block));
}

EXPORT double offheap_aligned_alloc(double source, double alignment, double size) {
    const struct functions *call = &to_source(source)->call;
    size_t bytes = to_size(size), multiple = to_size(alignment);
    if (call->mi_malloc_aligned == NULL) return to_address(call->aligned_alloc(multiple, bytes));
    /* Its aligned_alloc takes multiples of the alignment only. */
    return to_address(call->mi_malloc_aligned(mimalloc_aligned_size(bytes, multiple), multiple));
}

EXPORT double offheap_usable_size(double source, double block) {
    return (double)to_source(source)->call.malloc_usable_size(to_pointer(block));
}

/* Copies within native memory; the ranges may overlap. */
EXPORT void offheap_move(double to, double from, double length) {
    memmove(to_pointer(to), to_pointer(from), to_length(length));
}

EXPORT void offheap_fill(double to, double byte, double length) {
    memset(to_pointer(to), (int)(to_size(byte) & 0xff), to_length(length));
}
