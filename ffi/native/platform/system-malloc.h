/*
 * The system's own allocator, for the one file that binds it.
 */
#ifndef OFFHEAP_SYSTEM_MALLOC_H
#define OFFHEAP_SYSTEM_MALLOC_H

#include "../memory.h"

/* Its functions, in the places of C's names. */
void bind_system_functions(struct functions *call);

/*
 * A block whose alignment is a power of two and above 16. The bound free, realloc and
 * malloc_usable_size take it like any other.
 */
void *system_aligned(size_t alignment, size_t size);

#endif
