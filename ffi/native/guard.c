/*
 * What the secure variant checks, between the C library's names and an allocator:
 *
 *   [ … pad | shape, seal ][ the block ][ tail ]
 *
 * The seal, made of the address, the shape and a secret, distinguishes a live block from a freed one
 * and from any other memory; it is where an underrun meets it first. The tail comes directly after the
 * last byte that was asked for. A freed block is filled with POISON and held back, and looked at when
 * it leaves, and at the end of the process. Of a large one the pages are closed meanwhile.
 */
#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* EDGE is the byte next to a block on both sides: a random one could be written over unseen. */
enum { POISON = 0xDE, EDGE = 0xB5, TAIL = 8, RINGS = 8, SLOTS = 1024, LARGE_SLOTS = 64 };

/* From here on freed blocks are closed; from there on their memory is given back at once. */
#define LARGE ((size_t)64 << 10)
#define DROPPED ((size_t)4 << 20)
/* Bytes that are held back, in each ring and in that of large blocks. */
#define RING_BYTES ((size_t)1 << 20)
#define LARGE_BYTES ((size_t)16 << 20)

#define SIZE_BITS 48
#define IN_HEAP ((uint64_t)1 << 63)

struct header {
    uint64_t shape; /* the size, the binary logarithm of the pad, and IN_HEAP */
    _Atomic uint64_t seal;
};

struct held {
    unsigned char *block;
    size_t bytes; /* as they count for the limit */
    int closed;
};

/* Freed blocks, the oldest first. */
struct ring {
    pthread_mutex_t lock;
    size_t first, count, bytes;
    struct held held[SLOTS];
};

static struct ring rings[RINGS + 1];
static struct ring *const large_ring = &rings[RINGS];

static _Noreturn void report(const char *what, const void *block) {
    char text[160] = "offheap: heap misuse: ";
    size_t length = strlen(text);
    while (*what != 0) text[length++] = *what++;
    memcpy(text + length, ": 0x", 4);
    length += 4;
    for (int shift = 60; shift >= 0; shift -= 4) text[length++] = "0123456789abcdef"[(uintptr_t)block >> shift & 15];
    text[length++] = '\n';
    if (write(STDERR_FILENO, text, length) < 0) abort();
    abort();
}

static size_t page_size(void) {
    static _Atomic size_t known;
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);
    if (size == 0) atomic_store_explicit(&known, size = (size_t)sysconf(_SC_PAGESIZE), memory_order_relaxed);
    return size;
}

/* The kernel's random bytes for this process. Each thread that comes first finds the same. */
static uint64_t secret(int which) {
    static _Atomic uint64_t known[2];
    uint64_t word = atomic_load_explicit(&known[which], memory_order_relaxed);
    if (word != 0) return word;
    uint64_t random[2] = {1, 1};
    const void *given = (const void *)getauxval(AT_RANDOM);
    if (given != NULL) memcpy(random, given, sizeof random);
    /* Other parts of the C library use these bytes, too. */
    word = (random[which] ^ 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u | 1;
    atomic_store_explicit(&known[which], word, memory_order_relaxed);
    return word;
}

static uint64_t seal_of(const void *block, uint64_t shape) {
    uint64_t mixed = ((uintptr_t)block ^ secret(0)) * 0x9E3779B97F4A7C15u;
    mixed = ((mixed ^ mixed >> 32) + (shape ^ secret(1))) * 0xD6E8FEB86659FD93u;
    return (mixed ^ mixed >> 29) >> 8 | (uint64_t)EDGE << 56;
}

static uint64_t tail_of(uint64_t seal) {
    return (seal >> 24 | seal << 40) << 8 | EDGE;
}

static size_t size_of(uint64_t shape) { return shape & (((uint64_t)1 << SIZE_BITS) - 1); }
static size_t pad_of(uint64_t shape) { return (size_t)1 << (shape >> SIZE_BITS & 63); }
static struct header *header_of(const void *block) { return (struct header *)block - 1; }
static void *base_of(const void *block, uint64_t shape) { return (char *)block - pad_of(shape); }

/* A large block begins with a page, so that all of it can be closed, and its header stays open. */
static size_t pad_for(size_t size, size_t alignment) {
    size_t least = size >= LARGE ? page_size() : MIN_PAD;
    return alignment > least ? alignment : least;
}

static size_t length_for(size_t size) {
    size_t unit = size >= LARGE ? page_size() : MIN_PAD;
    return (size + TAIL + unit - 1) & ~(unit - 1);
}

static void write_bounds(unsigned char *block, uint64_t shape) {
    uint64_t seal = seal_of(block, shape), tail = tail_of(seal);
    header_of(block)->shape = shape;
    atomic_store_explicit(&header_of(block)->seal, seal, memory_order_relaxed);
    memcpy(block + size_of(shape), &tail, TAIL);
}

static int has_tail(const unsigned char *block, uint64_t shape, uint64_t seal) {
    uint64_t tail = tail_of(seal);
    return memcmp(block + size_of(shape), &tail, TAIL) == 0;
}

/* The kernel reads the eight bytes of a signal set before it looks at what is to be done with them.
 * NULL would be no set; and the compiler takes it that a pointer less something is not NULL. */
static int is_readable(const void *address) {
    int error = errno;
    int readable = (uintptr_t)address >= page_size() &&
                   (syscall(SYS_rt_sigprocmask, ~0, address, NULL, 8) == 0 || errno != EFAULT);
    errno = error;
    return readable;
}

/* The shape of a live block, after its bounds were looked at. */
static uint64_t live_shape(const void *block, const char *when_freed) {
    const struct header *header = header_of(block);
    if ((uintptr_t)block % MIN_PAD != 0) report("no block begins at the pointer, which is not aligned", block);
    /* An allocator may not know the pages within a block of an alignment above the page's size. */
    if (!inner_owns(header) && !is_readable(header)) report("there is no readable memory at the pointer", block);
    uint64_t shape = header->shape, seal = atomic_load_explicit(&header->seal, memory_order_acquire);
    uint64_t expected = seal_of(block, shape);
    if (seal == ~expected) report(when_freed, block);
    if (seal != expected) report("no block begins at the pointer, or the bytes before it were overwritten", block);
    if (!has_tail(block, shape, seal)) report("the bytes after the block were overwritten", block);
    return shape;
}

static int is_poisoned(const unsigned char *block, size_t size) {
    uint64_t expected, difference = 0;
    memset(&expected, POISON, sizeof expected);
    size_t at = 0;
    for (uint64_t word; at + sizeof word <= size; at += sizeof word) {
        memcpy(&word, block + at, sizeof word);
        difference |= word ^ expected;
    }
    for (; at < size; at++) difference |= block[at] ^ POISON;
    return difference == 0;
}

static void check_held(const struct held *held) {
    const struct header *header = header_of(held->block);
    uint64_t shape = header->shape, seal = seal_of(held->block, shape);
    int kept = atomic_load_explicit(&header->seal, memory_order_relaxed) == ~seal;
    if (kept && !held->closed) {
        kept = has_tail(held->block, shape, seal) && is_poisoned(held->block, size_of(shape));
    }
    if (!kept) report("a freed block was written to", held->block);
}

static void let_go(struct held held) {
    check_held(&held);
    uint64_t shape = header_of(held.block)->shape;
    /* Memory that cannot be opened again is of no use to the allocator. */
    if (held.closed && mprotect(held.block, length_for(size_of(shape)), PROT_READ | PROT_WRITE) != 0) return;
    inner_release(base_of(held.block, shape), NULL);
}

/* What a freed block held is not to be read: by its last owner, nor, below LARGE, by its next. */
static struct held clear(unsigned char *block, size_t size) {
    size_t length = length_for(size);
    int closed = size >= LARGE && mprotect(block, length, PROT_NONE) == 0;
    int dropped = closed && size >= DROPPED && madvise(block, length, MADV_DONTNEED) == 0;
    if (!closed) memset(block, POISON, size);
    return (struct held){block, dropped ? length / LARGE_SLOTS : length, closed};
}

static int is_over(const struct ring *ring) {
    return ring == large_ring ? ring->count > LARGE_SLOTS || (ring->bytes > LARGE_BYTES && ring->count > 1)
                              : ring->count >= SLOTS || ring->bytes > RING_BYTES;
}

static void hold(struct ring *ring, struct held held) {
    for (int more = 1, pushed = 0; more;) {
        struct held leaving = {NULL, 0, 0};
        pthread_mutex_lock(&ring->lock);
        if (!pushed) {
            ring->held[(ring->first + ring->count++) % SLOTS] = held;
            ring->bytes += held.bytes;
            pushed = 1;
        }
        if (is_over(ring)) {
            leaving = ring->held[ring->first];
            ring->first = (ring->first + 1) % SLOTS;
            ring->count--;
            ring->bytes -= leaving.bytes;
        }
        more = is_over(ring);
        pthread_mutex_unlock(&ring->lock);
        if (leaving.block != NULL) let_go(leaving);
    }
}

void *guard_allocate(size_t size, size_t alignment, int zeroed, const struct heap *heap) {
    if (alignment >= (size_t)1 << (SIZE_BITS - 1) || size >= (size_t)1 << (SIZE_BITS - 1)) return NULL;
    size_t pad = pad_for(size, alignment);
    unsigned char *base = inner_allocate(pad + length_for(size), pad, zeroed, heap);
    if (base == NULL) return NULL;
    uint64_t shape = (uint64_t)__builtin_ctzll(pad) << SIZE_BITS | size;
    write_bounds(base + pad, heap == NULL ? shape : shape | IN_HEAP);
    return base + pad;
}

void guard_release(void *block, const struct heap *heap) {
    if (block == NULL) return;
    static const char freed[] = "double free";
    uint64_t shape = live_shape(block, freed), seal = seal_of(block, shape);
    if (!atomic_compare_exchange_strong(&header_of(block)->seal, &seal, ~seal)) report(freed, block);
    int error = errno;
    if ((shape & IN_HEAP) != 0) {
        memset(block, POISON, size_of(shape));
        inner_release(base_of(block, shape), heap);
    } else {
        uint64_t thread = (uint64_t)(uintptr_t)pthread_self() * 0x9E3779B97F4A7C15u;
        struct ring *ring = size_of(shape) >= LARGE ? large_ring : &rings[(thread >> 32) % RINGS];
        hold(ring, clear(block, size_of(shape)));
    }
    errno = error;
}

/* Stays where it is as long as it fits and is not much too large; else it moves, so that what still
 * uses the old place is found. */
void *guard_resize(void *block, size_t size, size_t alignment, const struct heap *heap) {
    if (block == NULL) return guard_allocate(size, alignment, 0, heap);
    uint64_t shape = live_shape(block, "a freed block was to be resized");
    size_t old = size_of(shape), pad = pad_of(shape);
    if (pad_for(size, alignment) == pad && size >= old / 2 &&
        pad + length_for(size) <= (size <= old ? pad + length_for(old) : inner_usable(base_of(block, shape)))) {
        write_bounds(block, (shape & ~(((uint64_t)1 << SIZE_BITS) - 1)) | size);
        return block;
    }
    void *moved = guard_allocate(size, alignment, 0, heap);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old < size ? old : size);
    guard_release(block, heap);
    return moved;
}

size_t guard_size(const void *block) {
    return block == NULL ? 0 : size_of(live_shape(block, "a freed block was asked for its size"));
}

size_t guard_known(const void *address) {
    const struct header *header = header_of(address);
    if ((uintptr_t)address % MIN_PAD != 0 || !inner_owns(header)) return 0;
    uint64_t shape = header->shape;
    return atomic_load_explicit(&header->seal, memory_order_acquire) == seal_of(address, shape) ? size_of(shape) : 0;
}

size_t guard_good_size(size_t size) {
    if (size >= (size_t)1 << (SIZE_BITS - 1)) return size;
    size_t pad = pad_for(size, MIN_PAD), good = inner_good_size(pad + length_for(size)) - pad - TAIL;
    return pad_for(good, MIN_PAD) == pad ? good : size;
}

static void lock_all(void) {
    for (int i = 0; i <= RINGS; i++) pthread_mutex_lock(&rings[i].lock);
}

static void unlock_all(void) {
    for (int i = 0; i <= RINGS; i++) pthread_mutex_unlock(&rings[i].lock);
}

static void renew_all(void) {
    for (int i = 0; i <= RINGS; i++) pthread_mutex_init(&rings[i].lock, NULL);
}

__attribute__((constructor)) static void survive_fork(void) { pthread_atfork(lock_all, unlock_all, renew_all); }

__attribute__((destructor)) static void check_all_held(void) {
    lock_all();
    for (struct ring *ring = rings; ring <= large_ring; ring++) {
        for (size_t i = 0; i < ring->count; i++) check_held(&ring->held[(ring->first + i) % SLOTS]);
    }
    unlock_all();
}
