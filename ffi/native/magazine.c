/*
 * Magazines: free blocks of the common sizes, handed out by JavaScript without a call.
 *
 * JavaScript takes from and puts into them directly, since their memory is wrapped there. What is
 * done here needs the allocator: refilling and draining in batches, and giving all of them back
 * when the thread that they belong to ends, however it ends.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "owned.h"

/* The layout that lib/memory/shared/magazines.ts reads: this header, counts, and then slots. */
#define HEADER_BYTES 64

struct magazines {
    struct owned owned;
    const struct source *source;
    int32_t classes;
    int32_t capacity;
};

_Static_assert(sizeof(struct magazines) <= HEADER_BYTES, "the header holds it");
_Static_assert(offsetof(struct magazines, owned) == 0, "what is owned is the whole");

/* Of classes, and of slots of a class. */
#define MAX_COUNT ((size_t)1 << 20)

static int32_t *counts_of(struct magazines *magazines) {
    return (int32_t *)((char *)magazines + HEADER_BYTES);
}

static size_t counts_bytes(int32_t classes) {
    return ((size_t)classes * sizeof(int32_t) + 63) & ~(size_t)63;
}

static double *slots_of(struct magazines *magazines) {
    return (double *)((char *)counts_of(magazines) + counts_bytes(magazines->classes));
}

/* Not by a size: a block of an aligned allocation may be of a larger class than its magazine. */
static void free_all(const struct source *source, const double *slots, size_t count) {
    for (size_t i = 0; i < count; i++) source->call.free(to_pointer(slots[i]));
}

/* Also what a thread that ends does. */
static void give_back(struct owned *owned) {
    struct magazines *magazines = (struct magazines *)owned;
    int32_t *counts = counts_of(magazines);
    double *slots = slots_of(magazines);
    for (int32_t class = 0; class < magazines->classes; class++) {
        size_t first = (size_t)class * (size_t)magazines->capacity;
        if (counts[class] > 0) free_all(magazines->source, slots + first, (size_t)counts[class]);
        counts[class] = 0;
    }
    magazines->source->call.free(magazines);
}

/* Empty magazines of the calling thread, or 0. They are given back when it ends. */
EXPORT double offheap_magazines_open(double source, double classes, double capacity) {
    const struct source *from = to_source(source);
    size_t count = to_size(classes), slots = to_size(capacity);
    if (count > MAX_COUNT || slots > MAX_COUNT) return 0;
    size_t bytes = HEADER_BYTES + counts_bytes((int32_t)count) + count * slots * sizeof(double);
    struct magazines *magazines = from->methods->allocate(from, bytes, HEADER_BYTES, 1);
    if (magazines == NULL) return 0;
    magazines->source = from;
    magazines->classes = (int32_t)count;
    magazines->capacity = (int32_t)slots;
    if (own(&magazines->owned, give_back) == 0) return to_address(magazines);
    from->call.free(magazines);
    return 0;
}

/* Frees every block in the magazines, and the magazines. By the thread that opened them. */
EXPORT void offheap_magazines_close(double address) {
    struct magazines *closing = to_pointer(address);
    disown(&closing->owned);
    give_back(&closing->owned);
}

/* Allocates up to `count` blocks of a size into slots; how many there were. */
EXPORT double offheap_refill(double source, double slots, double count, double size) {
    const struct source *from = to_source(source);
    double *to = to_pointer(slots);
    size_t wanted = to_length(count), bytes = to_size(size);
    for (size_t i = 0; i < wanted; i++) {
        void *block = from->call.malloc(bytes);
        if (block == NULL) return (double)i;
        to[i] = to_address(block);
    }
    return (double)wanted;
}

/* Frees the blocks in the first `drained` of `count` slots, and moves the others to the front. */
EXPORT void offheap_drain(double source, double slots, double drained, double count) {
    double *first = to_pointer(slots);
    size_t all = to_length(count), gone = to_length(drained);
    if (gone > all) gone = all;
    free_all(to_source(source), first, gone);
    memmove(first, first + gone, (all - gone) * sizeof *first);
}
