/*
 * A size to ask mi_malloc_aligned and mi_heap_malloc_aligned for.
 */
#ifndef OFFHEAP_MIMALLOC_ALIGNED_H
#define OFFHEAP_MIMALLOC_ALIGNED_H

#include <stddef.h>

/*
 * mimalloc 2.0.9 without padding takes each small block whose size is a power of two to be aligned
 * to that size. Its pages begin 384 bytes after a multiple of 64 KiB: it holds up to 128 bytes only.
 * Any other size is aligned by looking at the address.
 */
static inline size_t mimalloc_aligned_size(size_t size, size_t alignment) {
    return alignment > 128 && size <= 1024 && (size & (size - 1)) == 0 ? size + 1 : size;
}

#endif
