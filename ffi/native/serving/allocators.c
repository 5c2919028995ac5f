/*
 * How each allocator is asked whether it owns a block: a row for each.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifndef _WIN32

#include <stdio.h>
#include <string.h>

#include "../platform/platform.h"

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);
typedef _Bool (*mi_owns_fn)(const void *);

static mallctl_fn as_mallctl(void *function) {
    mallctl_fn call;
    *(void **)&call = function;
    return call;
}

static uint64_t mallctl_counter(void *function) {
    uint64_t bytes = 0;
    size_t length = sizeof bytes;
    return as_mallctl(function)("thread.allocated", &bytes, &length, NULL, 0) == 0 ? bytes : 0;
}

static int mallctl_owns(void *function, const void *address, size_t size) {
    unsigned arena;
    size_t length = sizeof arena;
    (void)size;
    return as_mallctl(function)("arenas.lookup", &arena, &length, &address, sizeof address) == 0;
}

/* jemalloc 5.3.1 is the first that may be asked about any address. */
static int mallctl_answers_all(void *function) {
    const char *version = NULL;
    size_t length = sizeof version;
    if (as_mallctl(function)("version", &version, &length, NULL, 0) != 0 || version == NULL) return 0;
    int major = 0, minor = 0, patch = 0;
    sscanf(version, "%d.%d.%d", &major, &minor, &patch);
    return major * 10000 + minor * 100 + patch >= 50301;
}

static int mi_owns(void *function, const void *address, size_t size) {
    mi_owns_fn owns;
    *(void **)&owns = function;
    /* A byte within distinguishes a region from a list of blocks; mimalloc 3 knows those near the start. */
    size_t within = (size < 4096 ? size : 4096) - 1;
    return owns(address) && owns((const char *)address + within);
}

static int tcmalloc_owns(void *function, const void *address, size_t size) {
    int (*ownership)(const void *);
    *(void **)&ownership = function;
    (void)size;
    return ownership(address) == 1; /* MallocExtension_kOwned */
}

static int answers_all(void *function) {
    (void)function;
    return 1;
}

static const struct allocator ALLOCATORS[] = {
    {"jemalloc", JEMALLOC_PREFIX "mallctl", mallctl_counter, mallctl_owns, mallctl_answers_all},
    {"mimalloc", "mi_is_in_heap_region", NULL, mi_owns, answers_all},
    {"tcmalloc", "MallocExtension_GetOwnership", NULL, tcmalloc_owns, answers_all},
    {"system", SYSTEM_SYMBOL, NULL, system_owns, NULL},
};

const struct allocator *find_allocator(const char *name) {
    for (size_t i = 0; i < COUNT_OF(ALLOCATORS); i++) {
        if (strcmp(ALLOCATORS[i].name, name) == 0) return &ALLOCATORS[i];
    }
    return NULL;
}

#endif
