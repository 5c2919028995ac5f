/*
 * The layer of the secure variant between the functions that a library exports and the allocator's
 * own: guard.c is the layer, guard-jemalloc.c and guard-mimalloc.c say how to reach them.
 */
#ifndef OFFHEAP_GUARD_H
#define OFFHEAP_GUARD_H

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* The least alignment of a block, and the bytes before it that the layer needs. */
#define MIN_PAD ((size_t)16)

/* A heap of the allocator's that a block belongs to; NULL for none in particular. */
struct heap {
    void *heap; /* mimalloc's */
    int flags;  /* jemalloc's */
};

/*
 * The layer. An alignment is a power of two. All but allocating end the process with a message when
 * the block is not one that the layer gave, was freed, or was written to beyond its bounds. Blocks of a
 * heap are not held back, as they would outlive it.
 */
void *guard_allocate(size_t size, size_t alignment, int zeroed, const struct heap *heap);
void *guard_resize(void *block, size_t size, size_t alignment, const struct heap *heap);
void guard_release(void *block, const struct heap *heap);
size_t guard_size(const void *block);
/* The size of a live block, else 0; any address may be asked about. */
size_t guard_known(const void *address);
/* The largest size that takes as much memory as this one. */
size_t guard_good_size(size_t size);

/* The allocator: its blocks begin MIN_PAD bytes or more before the layer's. */
void *inner_allocate(size_t size, size_t alignment, int zeroed, const struct heap *heap);
void inner_release(void *base, const struct heap *heap);
/* Bytes of a block of the allocator's from its base on. */
size_t inner_usable(const void *base);
/* Whether an address is in the allocator's memory; any may be asked about. */
int inner_owns(const void *address);
size_t inner_good_size(size_t size);

#endif
