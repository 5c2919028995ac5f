/*
 * ELF systems: the first object in the search order that defines malloc serves it, and has to define
 * the other entry points as well.
 */
#ifndef OFFHEAP_SERVING_ELF_H
#define OFFHEAP_SERVING_ELF_H

#include <dlfcn.h>
#include <malloc.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "elf-symbols.h"

#define SYSTEM_SYMBOL "__libc_start_main"
#define PROGRAM "/proc/self/exe"

/* By malloc's definer alone; whoever leaves one of them to another object is no allocator. */
static const char *const FUNCTIONS[] = {
    "free",          "calloc",   "realloc", "posix_memalign",
    "aligned_alloc", "memalign", "valloc",  "malloc_usable_size",
};

/* C++'s: a library without malloc may define them, as libstdc++ does, whose call malloc. */
static const char *const OPERATORS[] = {
    "_Znwm",  "_ZnwmRKSt9nothrow_t",  "_ZnwmSt11align_val_t",  "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_Znam",  "_ZnamRKSt9nothrow_t",  "_ZnamSt11align_val_t",  "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPv", "_ZdlPvRKSt9nothrow_t", "_ZdlPvSt11align_val_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPv", "_ZdaPvRKSt9nothrow_t", "_ZdaPvSt11align_val_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    "_ZdlPvm", "_ZdlPvmSt11align_val_t", "_ZdaPvm", "_ZdaPvmSt11align_val_t",
};

static const char *file_of(const struct definition *it) {
    return *it->object != '\0' ? it->object : PROGRAM;
}

/* Those that an allocator may leave to the C library, whose own call realloc, or come from nowhere. */
static const char *const LEFT_TO_LIBC[] = {"reallocarray", "pvalloc", "cfree"};

/* Whether the program itself defines any of C++'s operators. */
static int program_has_operators(void) {
    struct definition found;
    for (size_t i = 0; i < COUNT_OF(OPERATORS); i++) {
        if (find_definition(OPERATORS[i], &found) && *found.object == '\0') return 1;
    }
    return 0;
}

/*
 * C++'s operators are nobody's in many programs, and a library that was opened for itself may have
 * some all the same: that counts only when the whole process finds them there. What the program
 * itself defines is its own matter, and so is what libstdc++ builds on it: new and delete are of one
 * hand there, and may not be called before the program's constructors have run.
 */
static int find_operator(const char *name, const struct definition *server, struct definition *found) {
    if (!find_definition(name, found)) return 0;
    if (found->base == server->base) return 1;
    return dlsym(RTLD_DEFAULT, name) == found->address && !program_has_operators();
}

static int find_server(const char *symbol, void **function, const struct answer *why) {
    struct definition server, found;
    if (!find_definition("malloc", &server)) return no(why, "no object defines malloc");
    if (!find_definition_in(&server, symbol, &found)) {
        return no(why, find_definition(symbol, &found) ? "it is loaded, but does not serve malloc"
                                                       : "it is not loaded");
    }
    *function = found.address;
    return 1;
}

static int is_same_file(const char *one, const char *other) {
    struct stat a, b;
    if (strcmp(one, other) == 0) return 1;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int check_file(const char *path, const struct answer *why) {
    struct definition server;
    if (!find_definition("malloc", &server)) return no(why, "no object defines malloc");
    if (is_same_file(path, file_of(&server))) return 1;
    return no(why, "another copy of it serves malloc, \"%s\", and not \"%s\"", file_of(&server), path);
}

static int check_functions(const struct answer *why) {
    struct definition server, found;
    if (!find_definition("malloc", &server)) return no(why, "no object defines malloc");
    for (size_t i = 0; i < COUNT_OF(FUNCTIONS); i++) {
        if (!find_definition(FUNCTIONS[i], &found) || found.base == server.base) continue;
        return no(why, "%s is served by another, \"%s\"", FUNCTIONS[i], file_of(&found));
    }
    return 1;
}

static int check_left(const struct answer *why) {
    struct definition server, found, libc;
    if (!find_definition("malloc", &server)) return no(why, "no object defines malloc");
    int has_libc = find_definition(SYSTEM_SYMBOL, &libc);
    for (size_t i = 0; i < COUNT_OF(LEFT_TO_LIBC); i++) {
        if (!find_definition(LEFT_TO_LIBC[i], &found) || found.base == server.base) continue;
        if (has_libc && found.base == libc.base) continue;
        return no(why, "%s is served by another, \"%s\"", LEFT_TO_LIBC[i], file_of(&found));
    }
    return 1;
}

static int check_operators(const struct answer *why) {
    struct definition server, found, own;
    if (!find_definition("malloc", &server)) return no(why, "no object defines malloc");
    for (size_t i = 0; i < COUNT_OF(OPERATORS); i++) {
        if (!find_operator(OPERATORS[i], &server, &found) || found.base == server.base) continue;
        if (!find_definition_in(&found, "malloc", &own)) continue;
        return no(why,
                  "C++'s operators (%s) are those of another allocator, \"%s\"; take it out of "
                  "LD_PRELOAD and of /etc/ld.so.preload",
                  OPERATORS[i], file_of(&found));
    }
    return 1;
}

static void release_page(void *page) {
    munmap(page, 1);
}

/* libc's own malloc, also where another one stands before it. */
static void *libc_function(const char *name) {
    struct definition libc, server, found;
    if (!find_definition(SYSTEM_SYMBOL, &libc) || !find_definition("malloc", &server)) return NULL;
    if (libc.base == server.base || !find_definition_in(&libc, name, &found)) return NULL;
    return found.address;
}

static void release_libc(void *block) {
    void (*release)(void *);
    *(void **)&release = libc_function("free");
    release(block);
}

static size_t list_foreign(struct foreign *list, size_t most) {
    const struct {
        const char *what;
        void *address;
    } pages[] = {
        {"a page of nobody's", mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
        {"a shared page", mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)},
#if defined(SYS_mmap)
        {"a page from the kernel", (void *)syscall(SYS_mmap, NULL, 1, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L)},
#endif
    };
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        if (pages[i].address == MAP_FAILED || count == most) continue;
        list[count++] = (struct foreign){pages[i].what, pages[i].address, release_page};
    }
    void *(*allocate)(size_t);
    *(void **)&allocate = libc_function("malloc");
    const size_t sizes[] = {100, 256 << 10};
    for (size_t i = 0; allocate != NULL && i < COUNT_OF(sizes); i++) {
        void *block = allocate(sizes[i]);
        if (block == NULL || count == most) continue;
        list[count++] = (struct foreign){"a block of libc's own malloc", block, release_libc};
    }
    return count;
}

/*
 * glibc's malloc writes the size of a chunk before it, up to two more units than an aligned block
 * needs. Where the word before cannot be read for
 * certain, at the start of a page, nothing is known; musl has no such word.
 */
static int system_owns(void *function, const void *block, size_t size) {
    (void)function;
#ifdef __GLIBC__
    const size_t unit = 2 * sizeof(size_t), page = 4096;
    if ((uintptr_t)block % page < sizeof(size_t)) return 1;
    size_t header;
    memcpy(&header, (const char *)block - sizeof header, sizeof header);
    size_t chunk = header & ~(size_t)7, slack = header & 2 ? LOOKUP_STEP + unit : ALIGNMENT + 4 * unit;
    size_t least = size + sizeof header > 2 * unit ? size + sizeof header : 2 * unit;
    return chunk % unit == 0 && chunk >= least && chunk < least + slack;
#else
    (void)block, (void)size;
    return 1;
#endif
}

static void describe_server(char *text, size_t length) {
    struct definition server;
    int known = find_definition("malloc", &server);
    char program[1024];
    ssize_t size = known && *server.object == '\0' ? readlink(PROGRAM, program, sizeof program - 1) : 0;
    program[size > 0 ? size : 0] = '\0';
    snprintf(text, length, "%s", !known ? "unknown" : size > 0 ? program : file_of(&server));
}

static void *by_aligned_alloc(size_t size) {
    return aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}
static void *by_memalign(size_t size) {
    return memalign(ALIGNMENT, size);
}
static void *by_valloc(size_t size) {
    return valloc(size);
}

static void *operator_of(const char *symbol) {
    struct definition server, found;
    int known = find_definition("malloc", &server) && find_operator(symbol, &server, &found);
    return known ? found.address : NULL;
}

/* std::nothrow stands for itself: nobody looks into it. */
static char nothrow;

#define NEW(name, symbol, types, arguments)                        \
    static void *name(size_t size) {                               \
        void *(*allocate) types;                                   \
        *(void **)&allocate = operator_of(symbol);                 \
        return allocate != NULL ? allocate arguments : NULL;       \
    }
#define DELETE(name, symbol, types, arguments)                     \
    static void name(void *block) {                                \
        void(*release) types;                                      \
        *(void **)&release = operator_of(symbol);                  \
        if (release != NULL) release arguments;                    \
    }
typedef const void *reference;
NEW(by_new, "_Znwm", (size_t), (size))
NEW(by_new_array, "_Znam", (size_t), (size))
NEW(by_new_nothrow, "_ZnwmRKSt9nothrow_t", (size_t, reference), (size, &nothrow))
NEW(by_new_array_nothrow, "_ZnamRKSt9nothrow_t", (size_t, reference), (size, &nothrow))
NEW(by_new_aligned, "_ZnwmSt11align_val_t", (size_t, size_t), (size, ALIGNMENT))
NEW(by_new_array_aligned, "_ZnamSt11align_val_t", (size_t, size_t), (size, ALIGNMENT))
DELETE(by_delete, "_ZdlPv", (void *), (block))
DELETE(by_delete_array, "_ZdaPv", (void *), (block))
DELETE(by_delete_aligned, "_ZdlPvSt11align_val_t", (void *, size_t), (block, ALIGNMENT))
DELETE(by_delete_array_aligned, "_ZdaPvSt11align_val_t", (void *, size_t), (block, ALIGNMENT))

#define SYSTEM_ENTRIES                                                                              \
    {"aligned_alloc", 2 * ALIGNMENT, by_aligned_alloc, free},                           \
    {"memalign", ALIGNMENT, by_memalign, free},                                         \
    {"valloc", LOOKUP_STEP, by_valloc, free},                                           \
    {"operator new", 1, by_new, by_delete},                                             \
    {"operator new[]", 1, by_new_array, by_delete_array},                               \
    {"operator new (nothrow)", 1, by_new_nothrow, by_delete},                           \
    {"operator new[] (nothrow)", 1, by_new_array_nothrow, by_delete_array},             \
    {"operator new (aligned)", ALIGNMENT, by_new_aligned, by_delete_aligned},           \
    {"operator new[] (aligned)", ALIGNMENT, by_new_array_aligned, by_delete_array_aligned},

#endif
