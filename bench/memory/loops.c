/*
 * The physical limit: loops in C that the benchmarks compare JavaScript's with. A library of the
 * benchmarks' own; the functions come as addresses, which the shim has of each allocator.
 */
#define _POSIX_C_SOURCE 199309L
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

typedef void *(*malloc_fn)(size_t size);
typedef void (*free_fn)(void *block);

static double nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static malloc_fn to_malloc(double address) {
    return (malloc_fn)(intptr_t)address;
}

static free_fn to_free(double address) {
    return (free_fn)(intptr_t)address;
}

/* Nanoseconds for `count` pairs of malloc and free. */
double loops_pairs(double allocate, double release, double size, double count) {
    malloc_fn take = to_malloc(allocate);
    free_fn give = to_free(release);
    size_t bytes = (size_t)size, pairs = (size_t)count;
    double start = nanoseconds();
    for (size_t i = 0; i < pairs; i++) {
        void *volatile block = take(bytes);
        give(block);
    }
    return nanoseconds() - start;
}

/*
 * Nanoseconds for `count` replacements among `live` blocks: `picks` says which block goes, `sizes`
 * how large the next is; both have `length` entries, a power of two, and are gone through in turn.
 */
double loops_churn(double allocate, double release, double live, double count, const int32_t *picks,
                   const int32_t *sizes, double length) {
    malloc_fn take = to_malloc(allocate);
    free_fn give = to_free(release);
    size_t kept = (size_t)live, rounds = (size_t)count, mask = (size_t)length - 1;
    void **blocks = calloc(kept, sizeof *blocks);
    if (blocks == NULL) return -1;
    for (size_t i = 0; i < kept; i++) blocks[i] = take((size_t)sizes[i & mask]);
    double start = nanoseconds();
    for (size_t i = 0; i < rounds; i++) {
        void **block = &blocks[picks[i & mask]];
        give(*block);
        *block = take((size_t)sizes[i & mask]);
    }
    double spent = nanoseconds() - start;
    for (size_t i = 0; i < kept; i++) give(blocks[i]);
    free(blocks);
    return spent;
}
