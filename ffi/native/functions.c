/*
 * An allocator's functions by their addresses, for libraries that take functions to allocate by: C's
 * own, and those that are called with a context first. The context is the source.
 */
#include "memory.h"

/* zstd, brotli. */
static void *context_malloc(void *source, size_t size) {
    return ((const struct source *)source)->call.malloc(size);
}

/* zlib, bzip2. */
static void *context_calloc(void *source, unsigned count, unsigned size) {
    return ((const struct source *)source)->call.calloc(count, size);
}

static void context_free(void *source, void *block) {
    ((const struct source *)source)->call.free(block);
}

/* Vulkan's PFN_vkAllocationFunction; the scope is an enum. */
static void *context_aligned_malloc(void *source, size_t size, size_t alignment, int scope) {
    const struct source *from = source;
    (void)scope;
    return from->methods->allocate(from, size, alignment, 0);
}

/* Vulkan's PFN_vkReallocationFunction: of NULL it allocates, and a size of 0 frees. */
static void *context_aligned_realloc(void *source, void *block, size_t size, size_t alignment, int scope) {
    const struct source *from = source;
    if (block == NULL) return context_aligned_malloc(source, size, alignment, scope);
    if (size == 0) {
        from->call.free(block);
        return NULL;
    }
    return from->methods->reallocate(from, block, size, alignment);
}

/* C has no pointer for both functions and objects; the supported systems do. */
#define ADDRESS(function) to_address((const void *)(intptr_t)(function))

/* Where each function is, in the order of lib/memory/functions.ts. */
EXPORT void offheap_functions(double source, double *out) {
    const struct functions *call = &to_source(source)->call;
    *out++ = ADDRESS(call->malloc);
    *out++ = ADDRESS(call->calloc);
    *out++ = ADDRESS(call->realloc);
    *out++ = ADDRESS(call->free);
    *out++ = ADDRESS(call->malloc_usable_size);
    *out++ = ADDRESS(context_malloc);
    *out++ = ADDRESS(context_calloc);
    *out++ = ADDRESS(context_free);
    *out++ = ADDRESS(context_aligned_malloc);
    *out++ = ADDRESS(context_aligned_realloc);
}

/* Frees a block by a function of another library. */
EXPORT void offheap_call_free(double function, double block) {
    void (*release)(void *) = (void (*)(void *))(intptr_t)to_pointer(function);
    release(to_pointer(block));
}
