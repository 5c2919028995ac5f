/*
 * How each allocator that may serve malloc gives memory back, from a thread that is not the program's.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <stdio.h>
#include <string.h>

#include "../serving/elf-symbols.h"

const char *const FIGURE_NAMES[FIGURE_COUNT] = {
    [ALLOCATED] = "allocated", [ACTIVE] = "active",     [RESIDENT] = "resident",
    [MAPPED] = "mapped",       [RETAINED] = "retained", [METADATA] = "metadata",
    [COMMITTED] = "committed", [DIRTY] = "dirty",       [MUZZY] = "muzzy",
    [ARENAS] = "arenas",       [THREADS] = "threads",
};

/* The object that serves malloc, and a function of it, or NULL. */
static struct definition server;

static void *find_beside(const char *name) {
    struct definition found;
    return find_definition_in(&server, name, &found) ? found.address : NULL;
}

/* ---- mimalloc ---- */

static int mimalloc_number(void) {
    int (*number)(void);
    *(void **)&number = find_beside("mi_version");
    return number != NULL ? number() : 0;
}

static void mimalloc_version(char *text, size_t size) {
    int number = mimalloc_number();
    /* 209 is 2.0.9, and later versions are like 20401 for 2.4.1. */
    int step = number >= 10000 ? 100 : 10;
    if (number <= 0) return;
    snprintf(text, size, "%d.%d.%d", number / (number >= 10000 ? 10000 : 100), number / step % step,
             number % step);
}

static void mimalloc_give(int (*go_on)(void)) {
    void (*collect)(_Bool), (*begin)(void);
    *(void **)&collect = giver_function();
    *(void **)&begin = find_beside("mi_thread_init");
    (void)go_on;
    /* A thread that has not allocated is unknown to mimalloc, which then does nothing for it. */
    if (begin != NULL) begin();
    collect(1);
}

static void mimalloc_count(struct figures *figures) {
    void (*info)(size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *);
    *(void **)&info = find_beside("mi_process_info");
    size_t committed = 0;
    figures->absent[ALLOCATED] = "mimalloc counts live bytes only when it is built with MI_STAT";
    if (info == NULL) return;
    info(NULL, NULL, NULL, NULL, NULL, &committed, NULL, NULL);
    count_figure(figures, COMMITTED, committed);
}

/* ---- glibc ---- */

static void glibc_version(char *text, size_t size) {
    const char *(*version)(void);
    *(void **)&version = find_beside("gnu_get_libc_version");
    if (version != NULL) snprintf(text, size, "%s", version());
}

/* One call for all arenas: it cannot be made in steps. */
static void glibc_give(int (*go_on)(void)) {
    int (*trim)(size_t);
    *(void **)&trim = giver_function();
    (void)go_on;
    trim(0);
}

static void glibc_count(struct figures *figures) {
    struct layout {
        size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
    };
    struct layout (*mallinfo2_fn)(void);
    *(void **)&mallinfo2_fn = find_beside("mallinfo2");
    if (mallinfo2_fn == NULL) {
        figures->absent[ALLOCATED] = figures->absent[MAPPED] = "glibc before 2.33 has no mallinfo2";
        return;
    }
    struct layout info = mallinfo2_fn();
    count_figure(figures, ALLOCATED, info.uordblks + info.hblkhd);
    count_figure(figures, MAPPED, info.arena + info.hblkhd);
}

/* ---- tcmalloc ---- */

static void tcmalloc_version(char *text, size_t size) {
    const char *(*version)(int *, int *, const char **);
    *(void **)&version = find_beside("tc_version");
    int major, minor;
    const char *patch;
    if (version != NULL) snprintf(text, size, "%s", version(&major, &minor, &patch));
}

static void tcmalloc_give(int (*go_on)(void)) {
    void (*release)(void);
    *(void **)&release = giver_function();
    (void)go_on;
    release();
}

static void tcmalloc_count(struct figures *figures) {
    enum { IN_BLOCKS, HEAP, RETURNED, FREE_PAGES, PHYSICAL, PROPERTIES };
    static const char *const NAMES[PROPERTIES] = {
        [IN_BLOCKS] = "generic.current_allocated_bytes",
        [HEAP] = "generic.heap_size",
        [RETURNED] = "tcmalloc.pageheap_unmapped_bytes",
        [FREE_PAGES] = "tcmalloc.pageheap_free_bytes",
        [PHYSICAL] = "generic.total_physical_bytes",
    };
    /* The same sums are in lib/allocators/tcmalloc/statistics.ts. */
    static const struct {
        enum figure figure;
        int signs[PROPERTIES];
    } SUMS[] = {
        {ALLOCATED, {[IN_BLOCKS] = 1}},
        {ACTIVE, {[HEAP] = 1, [RETURNED] = -1, [FREE_PAGES] = -1}},
        {RESIDENT, {[PHYSICAL] = 1}},
        {MAPPED, {[HEAP] = 1, [RETURNED] = -1}},
        {RETAINED, {[RETURNED] = 1}},
        {METADATA, {[PHYSICAL] = 1, [HEAP] = -1, [RETURNED] = 1}},
        {DIRTY, {[FREE_PAGES] = 1}},
    };
    int (*property)(const char *, size_t *);
    *(void **)&property = find_beside("MallocExtension_GetNumericProperty");
    if (property == NULL) return;
    size_t values[PROPERTIES] = {0};
    int known[PROPERTIES];
    for (size_t i = 0; i < PROPERTIES; i++) known[i] = property(NAMES[i], &values[i]);
    for (size_t i = 0; i < COUNT_OF(SUMS); i++) {
        int counted = 1;
        int64_t bytes = 0;
        for (size_t j = 0; j < PROPERTIES; j++) {
            counted &= SUMS[i].signs[j] == 0 || known[j];
            bytes += SUMS[i].signs[j] * (int64_t)values[j];
        }
        /* Other threads allocate between one property and the next. */
        if (counted) count_figure(figures, SUMS[i].figure, bytes > 0 ? (uint64_t)bytes : 0);
    }
}

/* ---- All of them ---- */

static const struct giver MIMALLOC_2 = {
    .name = "mimalloc",
    .version = mimalloc_version,
    .no_give = "mimalloc 2 gives pages back only in the thread that has them, after its purge delay",
    .no_decay = "mimalloc's purge delay is an option of its start",
    .count = mimalloc_count,
    .no_count = "mimalloc does not count it for all threads",
};

static const struct giver *mimalloc_of_version(void) {
    return mimalloc_number() < 30000 ? &MIMALLOC_2 : NULL;
}

static const struct giver MIMALLOC = {
    .name = "mimalloc",
    .symbol = "mi_collect",
    .instead = mimalloc_of_version,
    .version = mimalloc_version,
    .give = mimalloc_give,
    .no_decay = "mimalloc's purge delay is an option of its start",
    .count = mimalloc_count,
    .no_count = "mimalloc does not count it for all threads",
};

static const struct giver TCMALLOC = {
    .name = "tcmalloc",
    .symbol = "MallocExtension_ReleaseFreeMemory",
    .version = tcmalloc_version,
    .give = tcmalloc_give,
    .no_decay = "tcmalloc's rate of release is an option of its start",
    .count = tcmalloc_count,
    .no_count = "tcmalloc does not count it",
};

static const struct giver GLIBC = {
    .name = "glibc",
    .symbol = "gnu_get_libc_version",
    .function = "malloc_trim",
    .version = glibc_version,
    .give = glibc_give,
    .no_give = "this libc has no malloc_trim",
    .no_decay = "glibc's malloc has no decay",
    .count = glibc_count,
    .no_count = "mallinfo2, by which the agent asks glibc, does not count it",
};

static const struct giver MUSL = {
    .name = "musl",
    .symbol = "__libc_start_main",
    .no_give = "musl's malloc returns pages by itself, and cannot be asked to",
    .no_decay = "musl's malloc has no decay",
    .no_count = "musl's malloc counts nothing",
};

/* The first whose symbol the object that serves malloc has. */
static const struct giver *const GIVERS[] = {&JEMALLOC_GIVER, &MIMALLOC, &TCMALLOC, &GLIBC, &MUSL};

static const struct giver UNKNOWN = {
    .name = "unknown",
    .no_give = "offheap does not know the allocator that serves malloc here",
    .no_decay = "offheap does not know the allocator that serves malloc here",
    .no_count = "offheap does not know the allocator that serves malloc here",
};

static const struct giver *giver = &UNKNOWN;
static void *function;

void find_giver(void) {
    if (!find_definition("malloc", &server)) return;
    size_t i = 0;
    while (i < COUNT_OF(GIVERS) && find_beside(GIVERS[i]->symbol) == NULL) i++;
    if (i == COUNT_OF(GIVERS)) return;
    const struct giver *found = GIVERS[i];
    const struct giver *instead = found->instead != NULL ? found->instead() : NULL;
    giver = instead != NULL ? instead : found;
    function = find_beside(found->function != NULL ? found->function : found->symbol);
}

const struct giver *agent_giver(void) {
    return giver;
}

void *giver_function(void) {
    return function;
}

const char *why_not_given(void) {
    return giver->give == NULL || function == NULL ? giver->no_give : NULL;
}

const char *give_back(int (*go_on)(void)) {
    const char *why = why_not_given();
    if (why != NULL) return why;
    giver->give(go_on);
    return NULL;
}

void count_figure(struct figures *figures, enum figure figure, uint64_t value) {
    figures->counted[figure] = value;
    figures->absent[figure] = NULL;
}

void count_memory(struct figures *figures) {
    for (size_t i = 0; i < FIGURE_COUNT; i++) figures->absent[i] = giver->no_count;
    if (giver->count != NULL) giver->count(figures);
}

#else
typedef int givers_are_for_linux;
#endif
