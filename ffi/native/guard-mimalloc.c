/*
 * The guarding layer over mimalloc, whose own functions are named inner_… in this build, and
 * mimalloc's names over the layer. ffi/symbols/mimalloc.ts lists them.
 */
#include "guard.h"
#include "mimalloc-aligned.h"

#include <stdbool.h>

#define MIN_ADDRESS ((uintptr_t)32 << 20)

void *inner_mi_malloc(size_t size);
void *inner_mi_zalloc(size_t size);
void *inner_mi_malloc_aligned(size_t size, size_t alignment);
void *inner_mi_zalloc_aligned(size_t size, size_t alignment);
void *inner_mi_heap_malloc_aligned(void *heap, size_t size, size_t alignment);
void *inner_mi_heap_zalloc_aligned(void *heap, size_t size, size_t alignment);
void inner_mi_free(void *base);
size_t inner_mi_usable_size(const void *base);
size_t inner_mi_good_size(size_t size);
bool mi_is_in_heap_region(const void *address);

void *inner_allocate(size_t size, size_t alignment, int zeroed, const struct heap *heap) {
    if (heap != NULL) {
        return zeroed ? inner_mi_heap_zalloc_aligned(heap->heap, size, alignment)
                      : inner_mi_heap_malloc_aligned(heap->heap, mimalloc_aligned_size(size, alignment), alignment);
    }
    if (alignment <= MIN_PAD) return zeroed ? inner_mi_zalloc(size) : inner_mi_malloc(size);
    return zeroed ? inner_mi_zalloc_aligned(size, alignment)
                  : inner_mi_malloc_aligned(mimalloc_aligned_size(size, alignment), alignment);
}

void inner_release(void *base, const struct heap *heap) {
    (void)heap;
    inner_mi_free(base);
}

size_t inner_usable(const void *base) { return inner_mi_usable_size(base); }

/* mimalloc answers rightly above its first segment's place only: see MIN_ADDRESS in lib/memory. */
int inner_owns(const void *address) { return (uintptr_t)address >= MIN_ADDRESS && mi_is_in_heap_region(address); }

size_t inner_good_size(size_t size) { return inner_mi_good_size(size); }

EXPORT void *mi_malloc(size_t size) { return guard_allocate(size, MIN_PAD, 0, NULL); }
EXPORT void *mi_zalloc(size_t size) { return guard_allocate(size, MIN_PAD, 1, NULL); }

EXPORT void *mi_calloc(size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : guard_allocate(bytes, MIN_PAD, 1, NULL);
}

EXPORT void *mi_realloc(void *block, size_t size) { return guard_resize(block, size, MIN_PAD, NULL); }
EXPORT void mi_free(void *block) { guard_release(block, NULL); }
EXPORT size_t mi_usable_size(const void *block) { return guard_size(block); }
EXPORT size_t mi_good_size(size_t size) { return guard_good_size(size); }
EXPORT void *mi_malloc_aligned(size_t size, size_t alignment) { return guard_allocate(size, alignment, 0, NULL); }
EXPORT void *mi_zalloc_aligned(size_t size, size_t alignment) { return guard_allocate(size, alignment, 1, NULL); }

EXPORT void *mi_realloc_aligned(void *block, size_t size, size_t alignment) {
    return guard_resize(block, size, alignment, NULL);
}

EXPORT void *mi_heap_malloc_aligned(void *heap, size_t size, size_t alignment) {
    return guard_allocate(size, alignment, 0, &(struct heap){heap, 0});
}

EXPORT void *mi_heap_zalloc_aligned(void *heap, size_t size, size_t alignment) {
    return guard_allocate(size, alignment, 1, &(struct heap){heap, 0});
}

EXPORT void *mi_heap_realloc_aligned(void *heap, void *block, size_t size, size_t alignment) {
    return guard_resize(block, size, alignment, &(struct heap){heap, 0});
}
