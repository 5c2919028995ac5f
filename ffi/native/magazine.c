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

/* The layout that lib/memory/shared/magazines.ts reads: this header, counts, and then slots. */
#define HEADER_BYTES 64

struct magazines {
    const struct source *source;
    struct magazines *next;
    int32_t classes;
    int32_t capacity;
};

_Static_assert(sizeof(struct magazines) <= HEADER_BYTES, "the header holds it");

static thread_key_type owned_key;
static once_type owned_once = ONCE_NEW;
static int owned_failed;

static int32_t *counts_of(struct magazines *magazines) {
    return (int32_t *)((char *)magazines + HEADER_BYTES);
}

static size_t counts_bytes(int32_t classes) {
    return ((size_t)classes * sizeof(int32_t) + 63) & ~(size_t)63;
}

static double *slots_of(struct magazines *magazines) {
    return (double *)((char *)counts_of(magazines) + counts_bytes(magazines->classes));
}

static void free_all(const struct source *source, const double *slots, size_t count) {
    for (size_t i = 0; i < count; i++) source->call.free(to_pointer(slots[i]));
}

static void give_back(struct magazines *magazines) {
    int32_t *counts = counts_of(magazines);
    double *slots = slots_of(magazines);
    for (int32_t class = 0; class < magazines->classes; class++) {
        size_t first = (size_t)class * (size_t)magazines->capacity;
        if (counts[class] > 0) free_all(magazines->source, slots + first, (size_t)counts[class]);
        counts[class] = 0;
    }
    magazines->source->call.free(magazines);
}

THREAD_END(thread_ends, first) {
    if (process_is_ending()) return;
    for (struct magazines *each = first, *next; each != NULL; each = next) {
        next = each->next;
        give_back(each);
    }
}

static void make_key(void) {
    owned_failed = make_thread_key(&owned_key, thread_ends);
}

/* Empty magazines of the calling thread, or 0. They are given back when it ends. */
EXPORT double offheap_magazines_open(double source, double classes, double capacity) {
    const struct source *from = to_source(source);
    run_once(&owned_once, make_key);
    if (owned_failed != 0) return 0;
    size_t bytes = HEADER_BYTES + counts_bytes((int32_t)classes) +
                   (size_t)classes * (size_t)capacity * sizeof(double);
    struct magazines *magazines = from->methods->allocate(from, bytes, HEADER_BYTES, 1);
    if (magazines == NULL) return 0;
    magazines->source = from;
    magazines->classes = (int32_t)classes;
    magazines->capacity = (int32_t)capacity;
    magazines->next = thread_value(owned_key);
    if (set_thread_value(owned_key, magazines) == 0) return to_address(magazines);
    from->call.free(magazines);
    return 0;
}

/* Frees every block in the magazines, and the magazines. By the thread that opened them. */
EXPORT void offheap_magazines_close(double address) {
    struct magazines *closing = to_pointer(address);
    struct magazines *first = thread_value(owned_key);
    if (first == closing) {
        set_thread_value(owned_key, closing->next);
    } else {
        while (first->next != closing) first = first->next;
        first->next = closing->next;
    }
    give_back(closing);
}

/* Allocates up to `count` blocks of a size into slots; how many there were. */
EXPORT double offheap_refill(double source, double slots, double count, double size) {
    const struct source *from = to_source(source);
    double *to = to_pointer(slots);
    size_t wanted = to_size(count);
    for (size_t i = 0; i < wanted; i++) {
        void *block = from->call.malloc(to_size(size));
        if (block == NULL) return (double)i;
        to[i] = to_address(block);
    }
    return count;
}

/* Frees the blocks in the first `drained` of `count` slots, and moves the others to the front. */
EXPORT void offheap_drain(double source, double slots, double drained, double count) {
    double *first = to_pointer(slots);
    size_t gone = to_size(drained);
    free_all(to_source(source), first, gone);
    memmove(first, first + gone, (to_size(count) - gone) * sizeof *first);
}
