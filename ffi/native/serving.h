/*
 * Whether an allocator serves malloc in this process, by evidence: its answers about a block that
 * malloc gave, and about memory that no allocator gave. Systems with a preload have it.
 */
#ifndef OFFHEAP_SERVING_H
#define OFFHEAP_SERVING_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "platform.h"

#ifdef MAP_FIXED_NOREPLACE
#define FIXED_NOREPLACE MAP_FIXED_NOREPLACE
#else
#define FIXED_NOREPLACE 0
#endif

#define PROBE_SIZE 3001
/* No larger than what one leaf of jemalloc's radix tree covers, for any page and address size. */
#define LOOKUP_REGION (128L << 20)
/* The largest page size of the supported systems. */
#define LOOKUP_STEP (64L << 10)

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);
typedef _Bool (*mi_owns_fn)(const void *);

/* An address in static data: no allocator may claim it. */
static char static_control;

/* A block that the compiler must really ask malloc for. */
static void *probe_block(void) {
    volatile char *block = malloc(PROBE_SIZE);
    if (block != NULL) block[0] = 1;
    return (void *)block;
}

/*
 * What systems do differently:
 *
 *   PRELOAD_VARIABLE             the dynamic linker's variable
 *   SYSTEM_SYMBOL                the symbol by which the system's allocator is known
 *   definition_of()              the definition that calls of a symbol go to, or NULL
 *   serves_malloc()              NULL, or why the object that defines a symbol cannot serve malloc
 *   check_system()               NULL, or why the system's allocator does not serve malloc
 *   describe_server()            who serves malloc, for a message
 */
#ifdef __APPLE__
#include "serving-macos.h"
#else
#include "serving-elf.h"
#endif

static int mallctl_owns(mallctl_fn mallctl_call, const void *address) {
    unsigned arena;
    size_t length = sizeof arena;
    return mallctl_call("arenas.lookup", &arena, &length, &address, sizeof address) == 0;
}

static uint64_t mallctl_allocated(mallctl_fn mallctl_call) {
    uint64_t bytes = 0;
    size_t length = sizeof bytes;
    return mallctl_call("thread.allocated", &bytes, &length, NULL, 0) == 0 ? bytes : 0;
}

/*
 * A fresh page that no allocator owns, in the same region as a block: jemalloc 5.3 crashes when
 * arenas.lookup is asked for an address in a region of which it knows nothing.
 */
static void *map_page_beside(const void *block) {
    uintptr_t region = (uintptr_t)block & ~((uintptr_t)LOOKUP_REGION - 1);
    /* Never the page at 0, which root may map: a null pointer would then point to something. */
    uintptr_t first = region == 0 ? LOOKUP_STEP : region;
    for (uintptr_t at = first; at < region + LOOKUP_REGION; at += LOOKUP_STEP) {
        void *page = mmap((void *)at, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | FIXED_NOREPLACE, -1, 0);
        if (page == MAP_FAILED) continue;
        if (((uintptr_t)page & ~((uintptr_t)LOOKUP_REGION - 1)) == region) return page;
        munmap(page, 1);
    }
    return NULL;
}

/* Each check gives NULL, or what is wrong. */
static const char *check_jemalloc(void *symbol) {
    mallctl_fn mallctl_call;
    *(void **)&mallctl_call = symbol;
    uint64_t before = mallctl_allocated(mallctl_call);
    void *block = probe_block();
    uint64_t moved = mallctl_allocated(mallctl_call) - before;
    /* A jemalloc that did not allocate the block must not be asked for it, see above. */
    if (moved < PROBE_SIZE || moved > 2 * PROBE_SIZE) return "its counters do not follow malloc";
    void *page = map_page_beside(block);
    int claims_all = page != NULL && mallctl_owns(mallctl_call, page);
    int owned = mallctl_owns(mallctl_call, block);
    if (page != NULL) munmap(page, 1);
    free(block);
    if (claims_all) return "its mallctl claims memory that no allocator owns";
    return owned ? NULL : "a block from malloc does not belong to it";
}

static const char *check_mimalloc(void *symbol) {
    mi_owns_fn owns;
    *(void **)&owns = symbol;
    char on_stack = 0;
    void *block = probe_block();
    int owned = owns(block);
    int claims_all = owns(&on_stack) || owns(&static_control);
    free(block);
    if (claims_all) return "its mi_is_in_heap_region claims memory that no allocator owns";
    return owned ? NULL : "a block from malloc does not belong to it";
}

static const struct {
    const char *allocator;
    const char *symbol;
    const char *(*check)(void *symbol);
} CHECKS[] = {
    {"jemalloc", JEMALLOC_PREFIX "mallctl", check_jemalloc},
    {"mimalloc", "mi_is_in_heap_region", check_mimalloc},
    {"system", SYSTEM_SYMBOL, check_system},
};

/* NULL when the allocator of that name serves malloc, else why it does not. */
static const char *why_not_serving(const char *allocator) {
    for (size_t i = 0; i < sizeof CHECKS / sizeof CHECKS[0]; i++) {
        if (strcmp(CHECKS[i].allocator, allocator) != 0) continue;
        void *symbol = definition_of(CHECKS[i].symbol);
        if (symbol == NULL) return "it is not loaded";
        const char *elsewhere = serves_malloc(symbol);
        return elsewhere != NULL ? elsewhere : CHECKS[i].check(symbol);
    }
    return "offheap's shim knows no allocator of that name";
}

#endif
