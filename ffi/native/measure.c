/*
 * The physical limit: loops in C that the benchmarks compare JavaScript's with.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <time.h>

#include "memory.h"

static double monotonic_nanoseconds(void) {
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Nanoseconds for `count` pairs of malloc and free. */
EXPORT double offheap_measure_pairs(double source, double size, double count) {
    const struct functions *call = &to_source(source)->call;
    size_t bytes = to_size(size), pairs = to_size(count);
    double start = monotonic_nanoseconds();
    for (size_t i = 0; i < pairs; i++) {
        void *volatile block = call->malloc(bytes);
        call->free(block);
    }
    return monotonic_nanoseconds() - start;
}

/*
 * Nanoseconds for `count` replacements among `live` blocks: `picks` says which block goes, `sizes`
 * how large the next is; both have `length` entries and are gone through in turn.
 */
EXPORT double offheap_measure_churn(double source, double live, double count, const int32_t *picks,
                                    const int32_t *sizes, double length) {
    const struct functions *call = &to_source(source)->call;
    size_t kept = to_size(live), rounds = to_size(count), mask = to_size(length) - 1;
    void **blocks = calloc(kept, sizeof *blocks);
    if (blocks == NULL) return -1;
    for (size_t i = 0; i < kept; i++) blocks[i] = call->malloc((size_t)sizes[i & mask]);
    double start = monotonic_nanoseconds();
    for (size_t i = 0; i < rounds; i++) {
        void **block = &blocks[picks[i & mask]];
        call->free(*block);
        *block = call->malloc((size_t)sizes[i & mask]);
    }
    double spent = monotonic_nanoseconds() - start;
    for (size_t i = 0; i < kept; i++) call->free(blocks[i]);
    free(blocks);
    return spent;
}
