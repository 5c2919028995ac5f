/*
 * jemalloc's sampling of the heap. Its dump allocates from jemalloc's own arena, not by malloc, and
 * holds up who takes a sample meanwhile.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

static int read_sampling(int *active, uint64_t *interval) {
    _Bool prepared = 0, is_active = 0;
    size_t exponent = 0, length = sizeof prepared;
    if (jemalloc_control("opt.prof", &prepared, &length, NULL, 0) != 0 || !prepared) return 0;
    length = sizeof is_active;
    if (jemalloc_control("prof.active", &is_active, &length, NULL, 0) != 0) return 0;
    length = sizeof exponent;
    if (jemalloc_control("prof.lg_sample", &exponent, &length, NULL, 0) != 0 || exponent > 63) return 0;
    *active = is_active;
    *interval = UINT64_C(1) << exponent;
    return 1;
}

static const char *set_active(int active) {
    _Bool wanted = active != 0;
    return jemalloc_control("prof.active", NULL, NULL, &wanted, sizeof wanted) == 0 ? NULL : "jemalloc would not switch it";
}

static const char *forget(void) {
    return jemalloc_control("prof.reset", NULL, NULL, NULL, 0) == 0 ? NULL : "jemalloc would not forget them";
}

static const char *dump(const char *path) {
    if (jemalloc_control("prof.dump", NULL, NULL, &path, sizeof path) == 0) return NULL;
    return "jemalloc could not write the file: its file system may be full";
}

const struct sampling JEMALLOC_SAMPLING = {
    .read = read_sampling,
    .not_prepared = "jemalloc was started without profiling: start the program by \"offheap run --heap-profiling\"",
    .set_active = set_active,
    .forget = forget,
    .dump = dump,
};

#else
typedef int sampling_is_for_linux;
#endif
