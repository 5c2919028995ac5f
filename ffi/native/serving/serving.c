/*
 * The blocks of each entry point, and memory of others, as an allocator is asked about them.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifndef _WIN32

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#ifdef MAP_FIXED_NOREPLACE
#define FIXED_NOREPLACE MAP_FIXED_NOREPLACE
#else
#define FIXED_NOREPLACE 0
#endif

/* Sizes on both sides of what allocators treat differently; none is touched, so none costs memory. */
static const size_t MALLOC_SIZES[] = {3001, 1, 16, 100, 1000, 2047, 16384, 1 << 20};
/* The same for the other entry points; calloc would zero larger ones, and that costs the memory. */
static const size_t OTHER_SIZES[] = {16, 2047, 16384};
/* Besides, sizes drawn at random each time, one from each power of two to the next: who serves some
   sizes only cannot know them. The last is 4 MiB. */
#define LARGEST_DRAWN 22

#define MAX_CONTROLS 8

/* A static address: no allocator may claim it. */
static char static_control;

int no(const struct answer *why, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text, why->length, format, arguments);
    va_end(arguments);
    return 0;
}

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

static const struct entry MALLOC = {"malloc", 1, by_malloc, free};
/* The others that every system has; ends with a row without a name. */
static const struct entry OTHER_ENTRIES[] = {
    {"calloc", 1, by_calloc, free},
    {"realloc", 1, by_realloc, free},
    {"a growing realloc", 1, by_growing, free},
    {"posix_memalign", ALIGNMENT, by_posix_memalign, free},
    {NULL, 0, NULL, NULL},
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
    struct control controls[MAX_CONTROLS];
    size_t count = 0;
    char on_stack = 0;
    void *page = NULL;
    if (it->answers_all(function)) {
        count = list_controls(controls, MAX_CONTROLS - 2);
        controls[count++] = (struct control){"the stack", &on_stack, NULL};
        controls[count++] = (struct control){"static data", &static_control, NULL};
    } else if ((page = map_page_beside(block)) != NULL) {
        controls[count++] = (struct control){"a page of nobody's", page, NULL};
    }
    const char *claimed = NULL;
    for (size_t i = 0; i < count; i++) {
        if (claimed == NULL && it->owns(function, controls[i].address, 1)) claimed = controls[i].what;
        if (controls[i].release != NULL) controls[i].release(controls[i].address);
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
        if (!check_block(it, function, &MALLOC, least + state % least, 0, why)) return 0;
    }
    return 1;
}

static int check_malloc(const struct allocator *it, void *function, const struct answer *why) {
    for (size_t i = 0; i < COUNT_OF(MALLOC_SIZES); i++) {
        if (!check_block(it, function, &MALLOC, MALLOC_SIZES[i], i == 0, why)) return 0;
    }
    return 1;
}

/* An allocator that gives nothing has proven nothing, and C++'s operators would end the process. */
static int check_memory(size_t size, const struct answer *why) {
    void *volatile block = malloc(size);
    if (block == NULL) {
        return no(why,
                  "there is no memory for it (%zu bytes were asked for); a limit on this process, such as that "
                  "of ulimit -v, is too low",
                  size);
    }
    free(block);
    return 1;
}

static int check_entries(const struct allocator *it, void *function, const struct entry *entries,
                         const struct answer *why) {
    for (const struct entry *each = entries; each->name != NULL; each++) {
        for (size_t i = 0; i < COUNT_OF(OTHER_SIZES); i++) {
            if (!check_memory(OTHER_SIZES[i], why)) return 0;
            if (!check_block(it, function, each, OTHER_SIZES[i], 0, why)) return 0;
        }
    }
    return 1;
}

int is_serving(const char *name, const char *path, const struct answer *why) {
    const struct allocator *it = find_allocator(name);
    if (it == NULL) return no(why, "offheap's shim knows no allocator of that name");
    void *function = NULL;
    return find_server(it->symbol, &function, why) && (*path == '\0' || check_file(path, why)) &&
           check_functions(why) && check_malloc(it, function, why) &&
           check_drawn(it, function, why) && check_operators(why) &&
           check_entries(it, function, OTHER_ENTRIES, why) &&
           check_entries(it, function, SYSTEM_ENTRIES, why) && check_left(why);
}

#endif
