/*
 * The system's own allocator, for the one file that binds it:
 *
 *   bind_system_functions()      its functions by C's names
 *   system_aligned()             a block whose alignment is a power of two and above 16; its free,
 *                                realloc and malloc_usable_size take it like any other
 */
#ifndef OFFHEAP_SYSTEM_MALLOC_H
#define OFFHEAP_SYSTEM_MALLOC_H

#include "memory.h"

#ifdef _WIN32
#include "system-malloc-windows.h"
#else

#include <stdlib.h>
#if defined(__APPLE__)
#include <malloc/malloc.h>
#elif defined(__FreeBSD__)
#include <malloc_np.h>
#else
#include <malloc.h>
#endif

static void *system_aligned(size_t alignment, size_t size) {
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

static void bind_system_functions(struct functions *call) {
    call->malloc = malloc;
    call->calloc = calloc;
    call->realloc = realloc;
    call->free = free;
    call->aligned_alloc = system_aligned_alloc;
    call->malloc_usable_size = system_usable_size;
}

#endif
#endif
