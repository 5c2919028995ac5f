/*
 * Misuses the heap once, in the way that the arguments name, and then goes on as a program would:
 * frees what it holds, allocates and frees some thousand blocks more, and looks whether its memory
 * is still its own. The last line that it prints says what it saw:
 *
 *   intact    nothing amiss
 *   damaged   blocks that overlap, or whose bytes were changed
 *   leaked    the misuse read what a freed block had held
 *
 * Without arguments it lists the cases, one a line: class, way, size. The class "none" is a program
 * that misuses nothing.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { AROUND = 16, MOST = 64, FEW_BYTES = 32, MEGABYTE = 1 << 20, CHURN = 4000 };

static const char SECRET[] = "the secret words";

/* Volatile: the compiler may neither see through the pointers nor leave a call out. */
static unsigned char *volatile victim;
static unsigned char *volatile around[AROUND];
static void (*volatile release)(void *) = free;
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static size_t size;
static bool leaked;
/* Blocks that the case itself has given back, or has lost. */
static bool gone;

static unsigned char *take(size_t bytes) {
    unsigned char *block = malloc(bytes);
    if (block == NULL) exit(3);
    return block;
}

static unsigned char *fill(unsigned char *block, unsigned char with) {
    return memset(block, with, size);
}

static bool holds(const unsigned char *block, unsigned char with) {
    for (size_t i = 0; i < size; i++) {
        if (block[i] != with) return false;
    }
    return true;
}

static void give_victim(void) {
    release(victim);
    gone = true;
}

/* Some thousand blocks of other and of the same sizes, few at a time. */
static void churn(void) {
    static unsigned char *volatile held[MOST];
    unsigned seldom = size < MEGABYTE / 16 ? 3 : 50;
    for (unsigned turn = 0; turn < CHURN; turn++) {
        unsigned at = turn * 7 % MOST;
        release(held[at]);
        size_t bytes = turn % seldom == 0 ? size : 16 + turn * 37 % 2000;
        held[at] = memset(take(bytes), 0x33, bytes);
    }
    for (unsigned at = 0; at < MOST; at++) release(held[at]), held[at] = NULL;
}

/* Double frees. */
static void double_at_once(void) { give_victim(), release(victim); }

static void double_after_others(void) {
    give_victim();
    for (int i = 0; i < AROUND; i += 2) release(around[i]), around[i] = NULL;
    release(victim);
}

static void double_interleaved(void) {
    give_victim();
    release(around[8]);
    release(victim);
    around[8] = NULL;
}

static void double_delayed(void) { give_victim(), churn(), release(victim); }

static void double_after_reuse(void) {
    give_victim();
    unsigned char *volatile next = fill(take(size), 0x55);
    release(victim);
    unsigned char *volatile last = fill(take(size), 0x66);
    if (!holds(next, 0x55)) puts("damaged"), exit(0);
    release(next), release(last);
}

static void double_after_realloc(void) {
    unsigned char *volatile old = victim;
    victim = realloc(victim, size * 8);
    if (victim != old) release(old);
}

/* Pointers that are not the start of a block. */
static void free_at(const void *address) { release((void *)address); }
static void inside_aligned(void) { free_at(victim + 16); }
static void inside_by_8(void) { free_at(victim + 8); }
static void inside_by_1(void) { free_at(victim + 1); }
static void past_end(void) { free_at(victim + ((size + 31) & ~(size_t)15)); }
static void before(void) { free_at(victim - 16); }
static void resize_inside(void) { around[0] = realloc(victim + 16, size * 2); }
static void resize_freed(void) { give_victim(), around[0] = realloc(victim, size * 2); }

static void on_stack(void) {
    _Alignas(16) unsigned char here[256] = {0};
    free_at(here + 64);
}

static void in_static_data(void) {
    static _Alignas(16) unsigned char here[256];
    free_at(here + 64);
}

static void in_code(void) { free_at((const void *)((uintptr_t)in_code & ~(uintptr_t)15)); }
static void small_number(void) { free_at((const void *)16); }
static void far_away(void) { free_at((const void *)((uintptr_t)1 << 45)); }
static void out_of_space(void) { free_at((const void *)0x4141414141414140); }

static void mapped_page(void) {
    unsigned char *page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free_at(page + 4096);
}

/* Writes beside the block. */
static void write_bytes(unsigned char *at, size_t bytes, bool by_copy) {
    static unsigned char source[MEGABYTE];
    if (by_copy) {
        memset(source, 0x41, bytes);
        copy(at, source, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i++) ((volatile unsigned char *)at)[i] = 0x41;
}

static void over(size_t bytes, bool by_copy) { write_bytes(victim + size, bytes, by_copy), give_victim(); }

/* Backwards, byte by byte, as a loop that runs too far does. */
static void under(size_t bytes, bool by_copy) {
    if (by_copy) write_bytes(victim - bytes, bytes, true);
    for (size_t i = 1; !by_copy && i <= bytes; i++) ((volatile unsigned char *)victim)[-(ptrdiff_t)i] = 0x41;
    give_victim();
}

static void over_1(void) { over(1, false); }
static void over_8(void) { over(8, false); }
static void over_32(void) { over(FEW_BYTES, false); }
static void over_megabyte(void) { over(MEGABYTE, false); }
static void copy_over_1(void) { over(1, true); }
static void copy_over_8(void) { over(8, true); }
static void copy_over_32(void) { over(FEW_BYTES, true); }
static void copy_over_megabyte(void) { over(MEGABYTE, true); }
static void terminator(void) { ((volatile unsigned char *)victim)[size] = 0, give_victim(); }
static void under_1(void) { under(1, false); }
static void under_8(void) { under(8, false); }
static void under_32(void) { under(FEW_BYTES, false); }
static void under_megabyte(void) { under(MEGABYTE, false); }
static void copy_under_1(void) { under(1, true); }
static void copy_under_8(void) { under(8, true); }
static void copy_under_32(void) { under(FEW_BYTES, true); }
static void copy_under_megabyte(void) { under(MEGABYTE, true); }

/* Writes after free. */
static void write_start(void) { give_victim(), write_bytes(victim, 16, false); }
static void write_middle(void) { give_victim(), write_bytes(victim + size / 2, 8, false); }
static void write_all(void) { give_victim(), write_bytes(victim, size, true); }
static void write_delayed(void) { give_victim(), churn(), write_bytes(victim, 16, false); }

static void write_after_realloc(void) {
    unsigned char *volatile old = victim;
    victim = realloc(victim, size * 8);
    if (victim != old) write_bytes(old, 16, false);
}

/* A stale pointer into a block that is another's by now. */
static void write_reused(void) {
    give_victim();
    unsigned char *volatile next[MOST];
    for (int i = 0; i < MOST; i++) next[i] = fill(take(size), 0x55);
    write_bytes(victim, 16, false);
    for (int i = 0; i < MOST; i++) {
        if (!holds(next[i], 0x55)) puts("damaged"), exit(0);
        release(next[i]);
    }
}

/* Reads of what was there. */
static void look(const unsigned char *at) { leaked = memcmp(at, SECRET + 8, 8) == 0; }
static void keep_secret(unsigned char *block) { memcpy(block + 16, SECRET, sizeof SECRET); }

static void read_freed(void) { keep_secret(victim), give_victim(), look(victim + 24); }
static void read_delayed(void) { keep_secret(victim), give_victim(), churn(), look(victim + 24); }

static void read_after_realloc(void) {
    unsigned char *volatile old = victim;
    keep_secret(old);
    victim = realloc(victim, size * 8);
    if (victim != old) look(old + 24);
}

static void uninitialised(void) {
    for (int i = 0; i < AROUND; i++) keep_secret(around[i]);
    for (int i = 0; i < AROUND; i++) release(around[i]), around[i] = NULL;
    for (int i = 0; i < AROUND && !leaked; i++) look((around[i] = take(size)) + 24);
    for (int i = 0; i < AROUND; i++) {
        if (around[i] != NULL) fill(around[i], 0x22);
    }
}

static void uninitialised_growth(void) {
    for (int i = 0; i < AROUND; i++) keep_secret(around[i]);
    for (int i = 0; i < AROUND; i++) release(around[i]), around[i] = NULL;
    for (int i = 0; i < AROUND && !leaked; i++) {
        unsigned char *volatile grown = realloc(take(16), size);
        look(grown + 24);
        around[i] = fill(grown, 0x22);
    }
}

static const struct {
    const char *class, *way;
    void (*run)(void);
    /* Whether the size of the blocks makes a difference. */
    bool sized;
} CASES[] = {
    {"double free", "at once", double_at_once, true},
    {"double free", "after others", double_after_others, true},
    {"double free", "interleaved", double_interleaved, true},
    {"double free", "delayed", double_delayed, true},
    {"double free", "after reuse", double_after_reuse, true},
    {"double free", "after realloc", double_after_realloc, true},
    {"free inside a block", "16 bytes in", inside_aligned, true},
    {"free inside a block", "8 bytes in", inside_by_8, true},
    {"free inside a block", "1 byte in", inside_by_1, true},
    {"free inside a block", "past it", past_end, true},
    {"free inside a block", "before it", before, true},
    {"free inside a block", "realloc inside", resize_inside, true},
    {"free inside a block", "realloc of a freed one", resize_freed, true},
    {"free elsewhere", "stack", on_stack, false},
    {"free elsewhere", "static data", in_static_data, false},
    {"free elsewhere", "code", in_code, false},
    {"free elsewhere", "a small number", small_number, false},
    {"free elsewhere", "far away", far_away, false},
    {"free elsewhere", "no address", out_of_space, false},
    {"free elsewhere", "a mapped page", mapped_page, false},
    {"overrun", "1 byte", over_1, true},
    {"overrun", "8 bytes", over_8, true},
    {"overrun", "32 bytes", over_32, true},
    {"overrun", "a megabyte", over_megabyte, true},
    {"overrun", "a terminator", terminator, true},
    {"overrun by memcpy", "1 byte", copy_over_1, true},
    {"overrun by memcpy", "8 bytes", copy_over_8, true},
    {"overrun by memcpy", "32 bytes", copy_over_32, true},
    {"overrun by memcpy", "a megabyte", copy_over_megabyte, true},
    {"underrun", "1 byte", under_1, true},
    {"underrun", "8 bytes", under_8, true},
    {"underrun", "32 bytes", under_32, true},
    {"underrun", "a megabyte", under_megabyte, true},
    {"underrun by memcpy", "1 byte", copy_under_1, true},
    {"underrun by memcpy", "8 bytes", copy_under_8, true},
    {"underrun by memcpy", "32 bytes", copy_under_32, true},
    {"underrun by memcpy", "a megabyte", copy_under_megabyte, true},
    {"write after free", "its start", write_start, true},
    {"write after free", "its middle", write_middle, true},
    {"write after free", "all of it", write_all, true},
    {"write after free", "delayed", write_delayed, true},
    {"write after free", "after realloc", write_after_realloc, true},
    {"write after free", "reused by another", write_reused, true},
    {"read after free", "at once", read_freed, true},
    {"read after free", "delayed", read_delayed, true},
    {"read after free", "after realloc", read_after_realloc, true},
    {"uninitialised read", "a new block", uninitialised, true},
    {"uninitialised read", "the growth of realloc", uninitialised_growth, true},
};

/* glibc gives the first two no byte more than is asked for: it can see each one beyond. */
/* glibc gives the first two no byte more than is asked for: it can see each one beyond. */
static const struct {
    const char *name;
    size_t bytes;
} SIZES[] = {{"small", 40}, {"medium", 4008}, {"large", 300000}};

enum { CASE_COUNT = sizeof CASES / sizeof *CASES, SIZE_COUNT = sizeof SIZES / sizeof *SIZES };

static void list(void) {
    for (int i = 0; i < CASE_COUNT; i++) {
        for (int s = 0; s < (CASES[i].sized ? SIZE_COUNT : 1); s++) {
            printf("%s\t%s\t%s\n", CASES[i].class, CASES[i].way, CASES[i].sized ? SIZES[s].name : "any");
        }
    }
}

static bool same(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* Whether memory is still the program's own: the blocks around the victim, and new ones. */
static bool intact(void) {
    bool well = true;
    for (int i = 0; i < AROUND; i++) {
        if (around[i] == NULL) continue;
        well = well && holds(around[i], 0x22);
        release(around[i]);
    }
    churn();
    unsigned char *volatile fresh[MOST];
    for (int i = 0; i < MOST; i++) fresh[i] = fill(take(size), (unsigned char)(i + 1));
    for (int i = 0; i < MOST; i++) well = well && holds(fresh[i], (unsigned char)(i + 1));
    for (int i = 0; well && i < MOST; i++) release(fresh[i]);
    return well;
}

int main(int argc, char **argv) {
    if (argc == 1) return list(), 0;
    if (argc != 4) return 2;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    size = SIZES[0].bytes;
    for (int s = 0; s < SIZE_COUNT; s++) {
        if (same(argv[3], SIZES[s].name)) size = SIZES[s].bytes;
    }
    churn();
    for (int i = 0; i < AROUND; i++) {
        if (i == AROUND / 2) victim = fill(take(size), 0x11);
        around[i] = fill(take(size), 0x22);
    }
    bool found = same(argv[1], "none");
    for (int i = 0; i < CASE_COUNT && !found; i++) {
        if (!same(argv[1], CASES[i].class) || !same(argv[2], CASES[i].way)) continue;
        found = true;
        CASES[i].run();
    }
    if (!found) return 2;
    if (!gone && same(argv[1], "none")) give_victim();
    puts(leaked ? "leaked" : intact() ? "intact" : "damaged");
    return 0;
}
