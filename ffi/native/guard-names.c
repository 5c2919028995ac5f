/*
 * The C library's names over the guarding layer, for a library that is preloaded. ffi/overrides.ts
 * lists them.
 */
#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

static void *or_error(void *block) {
    if (block == NULL) errno = ENOMEM;
    return block;
}

static int is_alignment(size_t alignment) { return alignment != 0 && (alignment & (alignment - 1)) == 0; }

static void *allocate_aligned(size_t alignment, size_t size) {
    if (is_alignment(alignment)) return or_error(guard_allocate(size, alignment, 0, NULL));
    errno = EINVAL;
    return NULL;
}

EXPORT void *malloc(size_t size) { return or_error(guard_allocate(size, MIN_PAD, 0, NULL)); }

EXPORT void *calloc(size_t count, size_t size) {
    size_t bytes;
    return or_error(__builtin_mul_overflow(count, size, &bytes) ? NULL : guard_allocate(bytes, MIN_PAD, 1, NULL));
}

EXPORT void *realloc(void *block, size_t size) { return or_error(guard_resize(block, size, MIN_PAD, NULL)); }

EXPORT void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    return or_error(__builtin_mul_overflow(count, size, &bytes) ? NULL : guard_resize(block, bytes, MIN_PAD, NULL));
}

EXPORT void free(void *block) { guard_release(block, NULL); }

EXPORT int posix_memalign(void **block, size_t alignment, size_t size) {
    if (!is_alignment(alignment) || alignment < sizeof(void *)) return EINVAL;
    void *made = guard_allocate(size, alignment, 0, NULL);
    if (made == NULL) return ENOMEM;
    *block = made;
    return 0;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) { return allocate_aligned(alignment, size); }
EXPORT void *memalign(size_t alignment, size_t size) { return allocate_aligned(alignment, size); }
EXPORT void *valloc(size_t size) { return allocate_aligned((size_t)sysconf(_SC_PAGESIZE), size); }

EXPORT void *pvalloc(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole;
    if (__builtin_add_overflow(size, page - 1, &whole)) return or_error(NULL);
    return allocate_aligned(page, whole & ~(page - 1));
}

EXPORT size_t malloc_usable_size(void *block) { return guard_size(block); }
EXPORT void cfree(void *block) { guard_release(block, NULL); }
