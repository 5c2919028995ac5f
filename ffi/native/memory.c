/*
 * Blocks for JavaScript: an allocator's functions, called with doubles.
 *
 * Nothing here checks an argument: JavaScript has done so before it calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "mimalloc-aligned.h"
#include "platform/system-malloc.h"

static inline size_t least(size_t size) {
    return size < LEAST_ALIGNMENT ? LEAST_ALIGNMENT : size;
}

static inline int jemalloc_flags(const struct source *source, size_t alignment, int zeroed) {
    int lg_alignment = alignment > LEAST_ALIGNMENT ? __builtin_ctzll(alignment) : 0;
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
    if (alignment > LEAST_ALIGNMENT) {
        return zeroed ? call->mi_zalloc_aligned(size, alignment)
                      : call->mi_malloc_aligned(mimalloc_aligned_size(size, alignment), alignment);
    }
    return zeroed ? call->mi_zalloc(least(size)) : call->malloc(least(size));
}

static void *mimalloc_reallocate(const struct source *source, void *block, size_t size, size_t alignment) {
    const struct functions *call = &source->call;
    return alignment > LEAST_ALIGNMENT ? call->mi_realloc_aligned(block, size, alignment)
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
    if (alignment <= LEAST_ALIGNMENT) {
        return zeroed ? source->call.calloc(1, least(size)) : source->call.malloc(least(size));
    }
    void *block = system_aligned(alignment, least(size));
    if (block != NULL && zeroed) memset(block, 0, size);
    return block;
}

/* C has no aligned realloc: an aligned block moves, unless it stays aligned by itself. */
static void *system_reallocate(const struct source *source, void *block, size_t size, size_t alignment) {
    if (alignment <= LEAST_ALIGNMENT) return source->call.realloc(block, least(size));
    size_t old = source->call.malloc_usable_size(block);
    void *moved = system_allocate(source, size, alignment, 0);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old < size ? old : size);
    source->call.free(block);
    return moved;
}

static const struct methods METHODS[] = {
    [JEMALLOC] = {jemalloc_allocate, jemalloc_reallocate, jemalloc_release},
    [MIMALLOC] = {mimalloc_allocate, mimalloc_reallocate, plain_release},
    [SYSTEM] = {system_allocate, system_reallocate, plain_release},
};

const struct methods MIMALLOC_HEAP_METHODS = {
    mimalloc_heap_allocate,
    mimalloc_heap_reallocate,
    plain_release,
};

#define SLOT(name) offsetof(struct functions, name)

/*
 * The functions of each kind by the names that it exports, jemalloc's behind JEMALLOC_PREFIX;
 * ffi/symbols/jemalloc.ts and ffi/symbols/mimalloc.ts list the same names.
 */
static const struct {
    enum kind kind;
    size_t slot;
    const char *name;
} BINDINGS[] = {
    {JEMALLOC, SLOT(malloc), "malloc"},
    {JEMALLOC, SLOT(calloc), "calloc"},
    {JEMALLOC, SLOT(realloc), "realloc"},
    {JEMALLOC, SLOT(free), "free"},
    {JEMALLOC, SLOT(aligned_alloc), "aligned_alloc"},
    {JEMALLOC, SLOT(malloc_usable_size), "malloc_usable_size"},
    {JEMALLOC, SLOT(mallocx), "mallocx"},
    {JEMALLOC, SLOT(rallocx), "rallocx"},
    {JEMALLOC, SLOT(dallocx), "dallocx"},
    {MIMALLOC, SLOT(malloc), "mi_malloc"},
    {MIMALLOC, SLOT(calloc), "mi_calloc"},
    {MIMALLOC, SLOT(realloc), "mi_realloc"},
    {MIMALLOC, SLOT(free), "mi_free"},
    {MIMALLOC, SLOT(malloc_usable_size), "mi_usable_size"},
    {MIMALLOC, SLOT(mi_zalloc), "mi_zalloc"},
    {MIMALLOC, SLOT(mi_malloc_aligned), "mi_malloc_aligned"},
    {MIMALLOC, SLOT(mi_zalloc_aligned), "mi_zalloc_aligned"},
    {MIMALLOC, SLOT(mi_realloc_aligned), "mi_realloc_aligned"},
    {MIMALLOC, SLOT(mi_heap_malloc_aligned), "mi_heap_malloc_aligned"},
    {MIMALLOC, SLOT(mi_heap_zalloc_aligned), "mi_heap_zalloc_aligned"},
    {MIMALLOC, SLOT(mi_heap_realloc_aligned), "mi_heap_realloc_aligned"},
};

#define LONGEST_NAME 64

static lock_type bound_lock = LOCK_FREE;
static struct source *bound;

static void say_missing(char *error, size_t length, const char *text) {
    if (length > 0) snprintf(error, length, "%s", text);
}

static int bind_functions(struct source *source, char *error, size_t length) {
    if (source->kind == SYSTEM) {
        bind_system_functions(&source->call);
        return 0;
    }
    const char *prefix = source->kind == JEMALLOC ? JEMALLOC_PREFIX : "";
    for (size_t i = 0; i < sizeof BINDINGS / sizeof BINDINGS[0]; i++) {
        if (BINDINGS[i].kind != (enum kind)source->kind) continue;
        char name[LONGEST_NAME];
        snprintf(name, sizeof name, "%s%s", prefix, BINDINGS[i].name);
        void *symbol = find_in_object(source->object, name);
        if (symbol == NULL) {
            say_missing(error, length, name);
            return ENOENT;
        }
        memcpy((char *)&source->call + BINDINGS[i].slot, &symbol, sizeof symbol);
    }
    return 0;
}

static struct source *find_bound(const void *object, int kind) {
    for (struct source *each = bound; each != NULL; each = each->next) {
        if (each->object == object && each->kind == kind) return each;
    }
    return NULL;
}

/*
 * The source of the allocator in an object file, the same in all threads; an empty path is for the
 * system's allocator. 0 when it cannot be had: the error then says what is missing. It stays bound.
 */
EXPORT double offheap_bind(const char *path, int kind, char *error, double error_length) {
    size_t length = to_size(error_length);
    void *object = NULL;
    if (kind != SYSTEM && (object = open_object(path, error, length)) == NULL) return 0;
    lock(&bound_lock);
    struct source *source = find_bound(object, kind);
    if (source == NULL && (source = calloc(1, sizeof *source)) != NULL) {
        source->kind = kind;
        source->object = object;
        source->methods = &METHODS[kind];
        source->allocator = source;
        if (bind_functions(source, error, length) == 0) {
            source->next = bound;
            bound = source;
        } else {
            free(source);
            source = NULL;
        }
    }
    unlock(&bound_lock);
    return to_address(source);
}

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
    memmove(to_pointer(to), to_pointer(from), to_size(length));
}

EXPORT void offheap_fill(double to, double byte, double length) {
    memset(to_pointer(to), (int)byte, to_size(length));
}
