/*
 * The guarding layer over jemalloc, whose own functions are named inner_… in this build, and
 * jemalloc's names over the layer. ffi/symbols/jemalloc.ts lists them.
 */
#include "guard.h"

#include <string.h>

/* From jemalloc_macros.h. */
enum { LG_ALIGNMENT = 63, ZERO = 0x40, ARENA_SHIFT = 20 };

void *inner_malloc(size_t size);
void *inner_calloc(size_t count, size_t size);
void inner_free(void *base);
void *inner_mallocx(size_t size, int flags);
void inner_dallocx(void *base, int flags);
size_t inner_sallocx(const void *base, int flags);
size_t inner_nallocx(size_t size, int flags);
int inner_mallctl(const char *name, void *old, size_t *old_length, void *new, size_t new_length);
int inner_mallctlnametomib(const char *name, size_t *mib, size_t *length);
int inner_mallctlbymib(const size_t *mib, size_t length, void *old, size_t *old_length, void *new, size_t new_length);

void *inner_allocate(size_t size, size_t alignment, int zeroed, const struct heap *heap) {
    if (alignment <= MIN_PAD && heap == NULL) return zeroed ? inner_calloc(1, size) : inner_malloc(size);
    return inner_mallocx(size, (heap != NULL ? heap->flags : 0) | (zeroed ? ZERO : 0) | __builtin_ctzll(alignment));
}

void inner_release(void *base, const struct heap *heap) {
    if (heap == NULL) inner_free(base);
    else inner_dallocx(base, heap->flags);
}

/* It answers 0 for an address that is not its own, by the build's flag SAFE_LOOKUP. */
size_t inner_usable(const void *base) { return inner_sallocx(base, 0); }
int inner_owns(const void *address) { return inner_sallocx(address, 0) != 0; }
size_t inner_good_size(size_t size) { return inner_nallocx(size, 0); }

static const struct heap *heap_of(int flags, struct heap *heap) {
    *heap = (struct heap){NULL, flags & ~(LG_ALIGNMENT | ZERO)};
    return heap->flags >> ARENA_SHIFT == 0 ? NULL : heap;
}

static size_t alignment_of(int flags) {
    size_t alignment = (size_t)1 << (flags & LG_ALIGNMENT);
    return alignment < MIN_PAD ? MIN_PAD : alignment;
}

EXPORT void *mallocx(size_t size, int flags) {
    struct heap heap;
    return guard_allocate(size, alignment_of(flags), (flags & ZERO) != 0, heap_of(flags, &heap));
}

EXPORT void *rallocx(void *block, size_t size, int flags) {
    struct heap heap;
    return guard_resize(block, size, alignment_of(flags), heap_of(flags, &heap));
}

EXPORT void dallocx(void *block, int flags) {
    struct heap heap;
    guard_release(block, heap_of(flags, &heap));
}

EXPORT void sdallocx(void *block, size_t size, int flags) {
    (void)size;
    dallocx(block, flags);
}

/* No block of the layer's grows where it is. */
EXPORT size_t xallocx(void *block, size_t size, size_t extra, int flags) {
    (void)size, (void)extra, (void)flags;
    return guard_size(block);
}

/* Any address may be asked about. */
EXPORT size_t sallocx(const void *block, int flags) {
    size_t size = guard_known(block);
    return size != 0 ? size : inner_sallocx(block, flags);
}

EXPORT size_t nallocx(size_t size, int flags) {
    (void)flags;
    return guard_good_size(size);
}

#define LOOKUP "arenas.lookup"
enum { LOOKUP_LENGTH = 2 };

/*
 * The address that is looked up in place of a block of the layer's; NULL for another one. jemalloc
 * knows a large block by its first page, where the layer's has its header only.
 */
static const void *looked_up(const void *new, size_t new_length) {
    const void *address;
    if (new == NULL || new_length != sizeof address) return NULL;
    memcpy(&address, new, sizeof address);
    return guard_known(address) != 0 ? (const char *)address - MIN_PAD : NULL;
}

EXPORT int mallctl(const char *name, void *old, size_t *old_length, void *new, size_t new_length) {
    const void *address = strcmp(name, LOOKUP) == 0 ? looked_up(new, new_length) : NULL;
    if (address != NULL) new = &address;
    return inner_mallctl(name, old, old_length, new, new_length);
}

EXPORT int mallctlnametomib(const char *name, size_t *mib, size_t *length) {
    return inner_mallctlnametomib(name, mib, length);
}

static int is_lookup(const size_t *mib, size_t length) {
    size_t known[LOOKUP_LENGTH], known_length = LOOKUP_LENGTH;
    return length == LOOKUP_LENGTH && inner_mallctlnametomib(LOOKUP, known, &known_length) == 0 &&
           memcmp(mib, known, sizeof known) == 0;
}

EXPORT int mallctlbymib(const size_t *mib, size_t length, void *old, size_t *old_length, void *new,
                        size_t new_length) {
    const void *address = is_lookup(mib, length) ? looked_up(new, new_length) : NULL;
    if (address != NULL) new = &address;
    return inner_mallctlbymib(mib, length, old, old_length, new, new_length);
}
