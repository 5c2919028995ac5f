/*
 * Which processes take samples, and how; see profiling.h.
 */
#define _GNU_SOURCE
#include "profiling.h"

#include "unwind.h"

#ifdef HAS_UNWINDER

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../launched.h"
#include "../platform/platform.h"

#define PROFILING "OFFHEAP_HEAP_PROFILING"
#define MAP_SETTING "map"

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);
typedef void (*backtrace_fn)(void **, unsigned *, unsigned);

/* The process whose map of code is removed. */
static pid_t map_owner;

/* Where runtimes write it. */
static char map_path[64];

static void remove_map(void) {
    struct stat it;
    if (map_owner != getpid()) return;
    if (lstat(map_path, &it) == 0 && S_ISREG(it.st_mode) && it.st_uid == geteuid()) unlink(map_path);
}

static int has_setting(const char *settings, const char *word) {
    size_t length = strlen(word);
    for (; settings != NULL; settings = strchr(settings, ',')) {
        if (*settings == ',') settings++;
        if (strcspn(settings, ",") == length && memcmp(settings, word, length) == 0) return 1;
    }
    return 0;
}

const char *prepare_profiling(void) {
    const char *value = getenv(PROFILING);
    if (value == NULL) return NULL;
    int is_meant = meant_for_this_process(PROFILING) != NULL;
    if (is_meant) name_this_process(PROFILING);
    mallctl_fn control;
    *(void **)&control = dlsym(RTLD_DEFAULT, JEMALLOC_PREFIX "mallctl");
    if (control == NULL) return is_meant ? "no jemalloc serves its memory" : NULL;
    if (!is_meant && !is_runtime()) {
        _Bool active = 0;
        (void)control("prof.active", NULL, NULL, &active, sizeof active);
        return NULL;
    }
    _Bool prepared = 0;
    size_t length = sizeof prepared;
    (void)control("opt.prof", &prepared, &length, NULL, 0);
    if (!prepared) {
        return is_meant ? "its jemalloc was built without profiling, or MALLOC_CONF has switched it off" : NULL;
    }
    find_object_finder();
    snprintf(map_path, sizeof map_path, "/tmp/perf-%d.map", (int)getpid());
    mark_moments(map_path);
    backtrace_fn take = take_marked_backtrace;
    if (control("experimental.hooks.prof_backtrace", NULL, NULL, &take, sizeof take) != 0) {
        return is_meant ? "its jemalloc takes no unwinder, as versions before 5.3 do not" : NULL;
    }
    const char *settings = strchr(getenv(PROFILING), ':');
    if (settings == NULL || !has_setting(settings + 1, MAP_SETTING)) return NULL;
    leave_out_engine_log();
    if (atexit(remove_map) == 0) map_owner = getpid();
    return NULL;
}

#else

const char *prepare_profiling(void) {
    return NULL;
}

#endif
