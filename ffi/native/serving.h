/*
 * Whether an allocator serves malloc in this process, by evidence: its answers about blocks that
 * each entry point gave, and about memory that it did not give. Systems with a preload have it.
 */
#ifndef OFFHEAP_SERVING_H
#define OFFHEAP_SERVING_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "platform.h"

#ifdef MAP_FIXED_NOREPLACE
#define FIXED_NOREPLACE MAP_FIXED_NOREPLACE
#else
#define FIXED_NOREPLACE 0
#endif

/* No larger than what one leaf of jemalloc's radix tree covers, for any page and address size. */
#define LOOKUP_REGION (128L << 20)
/* The largest page size of the supported systems. */
#define LOOKUP_STEP (64L << 10)

/* Sizes on both sides of what allocators treat differently; none is touched, so none costs memory. */
static const size_t MALLOC_SIZES[] = {3001, 1, 16, 100, 1000, 2047, 16384, 1 << 20};
/* The same for the other entry points; calloc would zero larger ones, and that costs the memory. */
static const size_t OTHER_SIZES[] = {16, 2047, 16384};
#define COUNT_OF(table) (sizeof table / sizeof table[0])
/* Besides, sizes drawn anew each time, one from each power of two to the next: who serves some
   sizes only cannot know them. The last is 4 MiB. */
#define LARGEST_DRAWN 22

/* Where an answer of "no" says why. */
struct answer {
    char *text;
    size_t length;
};

/* 0, with the reason. */
__attribute__((format(printf, 2, 3))) static int no(const struct answer *why, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text, why->length, format, arguments);
    va_end(arguments);
    return 0;
}

/* One way to get a block, and to give it back. */
struct entry {
    const char *name;
    /* What its blocks are aligned to, beyond what malloc's are. */
    size_t alignment;
    /* NULL when there is no block, or no such entry point. */
    void *(*allocate)(size_t size);
    void (*release)(void *block);
};

/* Memory that an allocator did not give: it must deny it. */
struct foreign {
    const char *what;
    void *address;
    /* How it is given back; NULL when it is not. */
    void (*release)(void *address);
};

#define MOST_FOREIGN 8

/* A static address: no allocator may claim it. */
static char static_control;

#define ALIGNMENT 64

static void *by_malloc(size_t size) {
    return malloc(size);
}
static void *by_calloc(size_t size) {
    return calloc(1, size);
}
static void *by_realloc(size_t size) {
    return realloc(NULL, size);
}
static void *by_growing(size_t size) {
    void *volatile small = malloc(1);
    void *grown = small != NULL ? realloc(small, size) : NULL;
    if (grown == NULL) free(small);
    return grown;
}
static void *by_posix_memalign(size_t size) {
    void *block = NULL;
    return posix_memalign(&block, ALIGNMENT, size) == 0 ? block : NULL;
}

/*
 * What systems do differently:
 *
 *   SYSTEM_SYMBOL                the symbol by which the system's allocator is known
 *   SYSTEM_ENTRIES               rows for more entry points
 *   find_server()                the function of a name in what serves malloc, or why it does not
 *   check_file()                 whether what serves malloc is a certain file
 *   check_functions()            whether each function of C is the server's
 *   check_left()                 whether what an allocator may leave to the C library is left to it
 *   check_operators()            whether C++'s operators are the server's, or call it
 *   list_foreign()               memory of others, up to a number
 *   system_owns()                whether a block of the system's own allocator is one
 *   describe_server()            who serves malloc, for a message
 */
#ifdef __APPLE__
#include "serving-macos.h"
#else
#include "serving-elf.h"
#endif

static const struct entry ENTRIES[] = {
    {"malloc", 1, by_malloc, free},
    {"calloc", 1, by_calloc, free},
    {"realloc", 1, by_realloc, free},
    {"a growing realloc", 1, by_growing, free},
    {"posix_memalign", ALIGNMENT, by_posix_memalign, free},
    SYSTEM_ENTRIES
};

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
    /* A byte within tells a region from a list of blocks; mimalloc 3 knows those near the start. */
    size_t within = (size < 4096 ? size : 4096) - 1;
    return owns(address) && owns((const char *)address + within);
}

static int answers_all(void *function) {
    (void)function;
    return 1;
}

/* How each allocator is asked; the function is the one of its symbol. */
static const struct allocator {
    const char *name;
    const char *symbol;
    /* Bytes that this thread allocated; NULL when it does not count them. */
    uint64_t (*counter)(void *function);
    int (*owns)(void *function, const void *address, size_t size);
    /* Whether it may be asked about any address; NULL when the answer means nothing elsewhere. */
    int (*answers_all)(void *function);
} ALLOCATORS[] = {
    {"jemalloc", JEMALLOC_PREFIX "mallctl", mallctl_counter, mallctl_owns, mallctl_answers_all},
    {"mimalloc", "mi_is_in_heap_region", NULL, mi_owns, answers_all},
    {"system", SYSTEM_SYMBOL, NULL, system_owns, NULL},
};

/*
 * A fresh page that no allocator owns, in the same region as a block: jemalloc before 5.3.1 crashes
 * when arenas.lookup is asked for an address in a region of which it knows nothing.
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

/* Whether it denies what it does not own; the block is one that its counter has proven. */
static int check_controls(const struct allocator *it, void *function, const void *block,
                          const struct answer *why) {
    struct foreign foreign[MOST_FOREIGN];
    size_t count = 0;
    char on_stack = 0;
    void *page = NULL;
    if (it->answers_all(function)) {
        count = list_foreign(foreign, MOST_FOREIGN - 2);
        foreign[count++] = (struct foreign){"the stack", &on_stack, NULL};
        foreign[count++] = (struct foreign){"static data", &static_control, NULL};
    } else if ((page = map_page_beside(block)) != NULL) {
        foreign[count++] = (struct foreign){"a page of nobody's", page, NULL};
    }
    const char *claimed = NULL;
    for (size_t i = 0; i < count; i++) {
        if (claimed == NULL && it->owns(function, foreign[i].address, 1)) claimed = foreign[i].what;
        if (foreign[i].release != NULL) foreign[i].release(foreign[i].address);
    }
    if (page != NULL) munmap(page, 1);
    return claimed == NULL || no(why, "its %s claims memory that no allocator owns: %s", it->symbol, claimed);
}

/* Blocks whose owner is not known are kept: nobody knows who could free them. */
static int check_block(const struct allocator *it, void *function, const struct entry *entry, size_t size,
                       int with_controls, const struct answer *why) {
    uint64_t before = it->counter != NULL ? it->counter(function) : 0;
    void *block = entry->allocate(size);
    if (block == NULL) return 1;
    if (it->counter != NULL) {
        uint64_t moved = it->counter(function) - before;
        /* A growing block was one of a byte before. The secure variant's layer has its words around a
           block, and before an aligned one as much as the alignment: see guard.h. */
        if (moved < size || moved > size + size / 4 + 2 * entry->alignment + 64) {
            return no(why, "its counters do not follow %s (a block of %zu bytes)", entry->name, size);
        }
    }
    if (with_controls && it->answers_all != NULL && !check_controls(it, function, block, why)) return 0;
    if (!it->owns(function, block, size)) {
        return no(why, "a block from %s does not belong to it (of %zu bytes)", entry->name, size);
    }
    entry->release(block);
    return 1;
}

/* malloc's blocks of sizes that nobody knows before. */
static int check_drawn(const struct allocator *it, void *function, const struct answer *why) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t state = ((uint64_t)now.tv_nsec << 20 ^ (uintptr_t)&now) | 1;
    for (int bits = 3; bits <= LARGEST_DRAWN; bits++) {
        /* Marsaglia's xorshift64. */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        size_t least = (size_t)1 << (bits - 1);
        if (!check_block(it, function, &ENTRIES[0], least + state % least, 0, why)) return 0;
    }
    return 1;
}

/* The blocks of the entry points from one to another; malloc is the first. */
static int check_blocks(const struct allocator *it, void *function, size_t from, size_t to,
                        const struct answer *why) {
    for (size_t e = from; e < to; e++) {
        const size_t *sizes = e == 0 ? MALLOC_SIZES : OTHER_SIZES;
        size_t count = e == 0 ? COUNT_OF(MALLOC_SIZES) : COUNT_OF(OTHER_SIZES);
        for (size_t s = 0; s < count; s++) {
            if (!check_block(it, function, &ENTRIES[e], sizes[s], e + s == 0, why)) return 0;
        }
    }
    return 1;
}

/*
 * 1 when the allocator of that name serves malloc and every other entry point, and is the file at
 * the path unless that is empty; else 0, with the reason.
 */
static int is_serving(const char *name, const char *path, const struct answer *why) {
    for (size_t i = 0; i < COUNT_OF(ALLOCATORS); i++) {
        const struct allocator *it = &ALLOCATORS[i];
        if (strcmp(it->name, name) != 0) continue;
        void *function = NULL;
        return find_server(it->symbol, &function, why) && (*path == '\0' || check_file(path, why)) &&
               check_functions(why) && check_blocks(it, function, 0, 1, why) &&
               check_drawn(it, function, why) && check_operators(why) &&
               check_blocks(it, function, 1, COUNT_OF(ENTRIES), why) && check_left(why);
    }
    return no(why, "offheap's shim knows no allocator of that name");
}

#endif
