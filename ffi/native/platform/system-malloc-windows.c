/*
 * The C runtime of Windows aligns blocks to 16 bytes. Its _aligned_malloc gives blocks that free()
 * must not be called for; whoever frees a block here does not know which kind it is. So a block of
 * a larger alignment is within one of the C runtime's, with a note before it, and a table knows
 * all of them by their addresses. Every other block is the C runtime's own.
 */
#include "system-malloc.h"

#ifdef _WIN32

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform.h"

/* What the C runtime aligns to; no smaller alignment needs a note. */
#define RUNTIME_ALIGNMENT 16
#define NOTE_BUCKETS 16384

/* Right before the block. */
struct note {
    struct note *next;
    void *whole;
};

static lock_type notes_lock = LOCK_FREE;
static struct note *notes[NOTE_BUCKETS];
/* How many there are: at 0, no block is looked up. */
static size_t noted;

static struct note **bucket_of(const struct note *note) {
    uintptr_t address = (uintptr_t)note;
    return &notes[((address >> 5) ^ (address >> 19)) % NOTE_BUCKETS];
}

/* Where a block's note is linked, or NULL for a block that has none. With the lock. */
static struct note **link_of(const void *block) {
    const struct note *note = (const struct note *)block - 1;
    for (struct note **link = bucket_of(note); *link != NULL; link = &(*link)->next) {
        if (*link == note) return link;
    }
    return NULL;
}

static int may_be_noted(const void *block) {
    return block != NULL && (uintptr_t)block % (2 * RUNTIME_ALIGNMENT) == 0 &&
           __atomic_load_n(&noted, __ATOMIC_ACQUIRE) != 0;
}

/* The C runtime's block around one that has a note, or NULL. */
static void *whole_of(const void *block) {
    if (!may_be_noted(block)) return NULL;
    lock(&notes_lock);
    struct note **link = link_of(block);
    void *whole = link != NULL ? (*link)->whole : NULL;
    unlock(&notes_lock);
    return whole;
}

void *system_aligned(size_t alignment, size_t size) {
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) return NULL;
    size_t around = alignment + sizeof(struct note);
    if (size > SIZE_MAX - around) return NULL;
    char *whole = malloc(size + around);
    if (whole == NULL) return NULL;
    uintptr_t first = (uintptr_t)whole + sizeof(struct note);
    char *block = whole + (((first + alignment - 1) & ~(uintptr_t)(alignment - 1)) - (uintptr_t)whole);
    struct note *note = (struct note *)block - 1;
    note->whole = whole;
    lock(&notes_lock);
    struct note **row = bucket_of(note);
    note->next = *row;
    *row = note;
    __atomic_fetch_add(&noted, 1, __ATOMIC_RELEASE);
    unlock(&notes_lock);
    return block;
}

static void system_free(void *block) {
    if (!may_be_noted(block)) {
        free(block);
        return;
    }
    void *whole = block;
    lock(&notes_lock);
    struct note **link = link_of(block);
    if (link != NULL) {
        whole = (*link)->whole;
        *link = (*link)->next;
        __atomic_fetch_sub(&noted, 1, __ATOMIC_RELEASE);
    }
    unlock(&notes_lock);
    free(whole);
}

static size_t system_usable_size(void *block) {
    if (block == NULL) return 0;
    char *whole = whole_of(block);
    return whole == NULL ? _msize(block) : _msize(whole) - (size_t)((char *)block - whole);
}

/* The C runtime's realloc frees for a size of 0, which C leaves open; here a block comes back. */
static void *system_realloc(void *block, size_t size) {
    if (whole_of(block) == NULL) return realloc(block, size == 0 ? 1 : size);
    void *moved = malloc(size);
    if (moved == NULL) return NULL;
    size_t old = system_usable_size(block);
    memcpy(moved, block, old < size ? old : size);
    system_free(block);
    return moved;
}

static void *system_aligned_alloc(size_t alignment, size_t size) {
    return alignment <= RUNTIME_ALIGNMENT ? malloc(size) : system_aligned(alignment, size);
}

void bind_system_functions(struct functions *call) {
    call->malloc = malloc;
    call->calloc = calloc;
    call->realloc = system_realloc;
    call->free = system_free;
    call->aligned_alloc = system_aligned_alloc;
    call->malloc_usable_size = system_usable_size;
}

#endif
