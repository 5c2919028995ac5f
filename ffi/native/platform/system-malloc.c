/*
 * The system's own allocator, on all systems but Windows.
 */
#define _GNU_SOURCE
#include "system-malloc.h"

#ifndef _WIN32

#include <stdlib.h>
#if defined(__APPLE__)
#include <malloc/malloc.h>
#elif defined(__FreeBSD__)
#include <malloc_np.h>
#else
#include <malloc.h>
#endif

void *system_aligned(size_t alignment, size_t size) {
    void *block = NULL;
    return posix_memalign(&block, alignment, size) == 0 ? block : NULL;
}

#ifdef __APPLE__
static size_t system_usable_size(void *block) {
    return malloc_size(block);
}

/* macOS's own takes multiples of the alignment only. */
static void *system_aligned_alloc(size_t alignment, size_t size) {
    return system_aligned(alignment < sizeof(void *) ? sizeof(void *) : alignment, size);
}
#else
/* The systems do not agree whether it takes a pointer to const. */
static size_t system_usable_size(void *block) {
    return malloc_usable_size(block);
}

#define system_aligned_alloc aligned_alloc
#endif

void bind_system_functions(struct functions *call) {
    call->malloc = malloc;
    call->calloc = calloc;
    call->realloc = realloc;
    call->free = free;
    call->aligned_alloc = system_aligned_alloc;
    call->malloc_usable_size = system_usable_size;
}

#endif
