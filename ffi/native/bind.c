/*
 * Binding an allocator: its functions, found once a process in its own object file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "platform/system-malloc.h"

#define SLOT(name) offsetof(struct functions, name)

/*
 * The functions of each kind by the names that it exports, jemalloc's after JEMALLOC_PREFIX;
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
    {MIMALLOC, SLOT(mi_heap_visit_blocks), "mi_heap_visit_blocks"},
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
    size_t length = to_length(error_length);
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
