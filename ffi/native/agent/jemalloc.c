/*
 * jemalloc, from a thread that is not the program's.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <stdio.h>
#include <string.h>

#include "../platform/platform.h"

/* jemalloc's index for all arenas, MALLCTL_ARENAS_ALL. */
#define ALL_ARENAS "4096"

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);

int jemalloc_control(const char *name, void *old, size_t *length, void *new, size_t size) {
    mallctl_fn call;
    *(void **)&call = giver_function();
    return call(name, old, length, new, size);
}

static unsigned count_arenas(void) {
    unsigned count = 0;
    size_t length = sizeof count;
    return jemalloc_control("arenas.narenas", &count, &length, NULL, 0) == 0 ? count : 0;
}

static void version(char *text, size_t size) {
    const char *said = NULL;
    size_t length = sizeof said;
    if (jemalloc_control("version", &said, &length, NULL, 0) != 0 || said == NULL) return;
    /* "5.3.1-0-g" and the commit. */
    snprintf(text, size, "%.*s", (int)strcspn(said, "-"), said);
}

/* Arena by arena: fork() waits while the agent is in the allocator, and may go on between two of them. */
static void give(int (*go_on)(void)) {
    unsigned count = count_arenas();
    for (unsigned i = 0; i < count && go_on(); i++) {
        char name[32];
        snprintf(name, sizeof name, "arena.%u.purge", i);
        /* Arenas are made when they are first used: one that was not is refused. */
        (void)jemalloc_control(name, NULL, NULL, NULL, 0);
    }
}

static int read_setting(const char *name, long *milliseconds) {
    ssize_t value;
    size_t length = sizeof value;
    if (jemalloc_control(name, &value, &length, NULL, 0) != 0) return 0;
    *milliseconds = (long)value;
    return 1;
}

static int read_decay(long *milliseconds) {
    return read_setting("arenas.dirty_decay_ms", milliseconds);
}

static int set_decay(long milliseconds) {
    if (milliseconds < 0 && !read_setting("opt.dirty_decay_ms", &milliseconds)) return 0;
    ssize_t value = milliseconds;
    /* For arenas to come, and for those that there are. */
    if (jemalloc_control("arenas.dirty_decay_ms", NULL, NULL, &value, sizeof value) != 0) return 0;
    unsigned count = count_arenas();
    for (unsigned i = 0; i < count; i++) {
        char name[40];
        snprintf(name, sizeof name, "arena.%u.dirty_decay_ms", i);
        (void)jemalloc_control(name, NULL, NULL, &value, sizeof value);
    }
    return 1;
}

static void tick(void) {
    (void)jemalloc_control("arena." ALL_ARENAS ".decay", NULL, NULL, NULL, 0);
}

/* How a figure is read: a size_t as it is, or counted in pages; or an unsigned. */
enum kind { BYTES, PAGES, UNSIGNED };

static const struct {
    enum figure figure;
    const char *key;
    enum kind kind;
} KEYS[] = {
    {ALLOCATED, "stats.allocated", BYTES},
    {ACTIVE, "stats.active", BYTES},
    {RESIDENT, "stats.resident", BYTES},
    {MAPPED, "stats.mapped", BYTES},
    {RETAINED, "stats.retained", BYTES},
    {METADATA, "stats.metadata", BYTES},
    {DIRTY, "stats.arenas." ALL_ARENAS ".pdirty", PAGES},
    {MUZZY, "stats.arenas." ALL_ARENAS ".pmuzzy", PAGES},
    {THREADS, "stats.arenas." ALL_ARENAS ".nthreads", UNSIGNED},
};

static int read_figure(const char *key, enum kind kind, uint64_t page, uint64_t *value) {
    size_t bytes = 0, length = sizeof bytes;
    unsigned count = 0;
    if (kind == UNSIGNED) {
        length = sizeof count;
        if (jemalloc_control(key, &count, &length, NULL, 0) != 0) return 0;
        *value = count;
        return 1;
    }
    if (jemalloc_control(key, &bytes, &length, NULL, 0) != 0) return 0;
    *value = kind == PAGES ? bytes * page : bytes;
    return 1;
}

/* The arenas that have been used: all others are a number only. */
static unsigned count_used_arenas(void) {
    unsigned used = 0, count = count_arenas();
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        _Bool made = 0;
        size_t length = sizeof made;
        snprintf(name, sizeof name, "arena.%u.initialized", i);
        used += jemalloc_control(name, &made, &length, NULL, 0) == 0 && made;
    }
    return used;
}

static void count(struct figures *figures) {
    uint64_t epoch = 1;
    size_t page = 0, length = sizeof page;
    (void)jemalloc_control("epoch", NULL, NULL, &epoch, sizeof epoch);
    int paged = jemalloc_control("arenas.page", &page, &length, NULL, 0) == 0;
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        uint64_t value;
        if (KEYS[i].kind == PAGES && !paged) continue;
        if (read_figure(KEYS[i].key, KEYS[i].kind, page, &value)) {
            count_figure(figures, KEYS[i].figure, value);
        }
    }
    count_figure(figures, ARENAS, count_used_arenas());
    figures->absent[COMMITTED] = "jemalloc counts active, dirty and retained pages instead";
}

const struct giver JEMALLOC_GIVER = {
    .name = "jemalloc",
    .symbol = JEMALLOC_PREFIX "mallctl",
    .version = version,
    .give = give,
    .read_decay = read_decay,
    .set_decay = set_decay,
    .no_decay = "jemalloc would not change how long it keeps pages",
    .tick = tick,
    .count = count,
    .no_count = "this jemalloc was built without statistics",
    .sampling = &JEMALLOC_SAMPLING,
};

#else
typedef int jemalloc_giver_is_for_linux;
#endif
