/*
 * The entry points of ELF systems that C's standard does not have, C++'s operators among them.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __ELF__

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

#include "elf-parts.h"

/* C++'s: a library without malloc may define them, as libstdc++ does, whose call malloc. */
static const char *const OPERATORS[] = {
    "_Znwm",  "_ZnwmRKSt9nothrow_t",  "_ZnwmSt11align_val_t",  "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_Znam",  "_ZnamRKSt9nothrow_t",  "_ZnamSt11align_val_t",  "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPv", "_ZdlPvRKSt9nothrow_t", "_ZdlPvSt11align_val_t", "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPv", "_ZdaPvRKSt9nothrow_t", "_ZdaPvSt11align_val_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    "_ZdlPvm", "_ZdlPvmSt11align_val_t", "_ZdaPvm", "_ZdaPvmSt11align_val_t",
};

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

int check_operators(const struct answer *why) {
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

static void *by_aligned_alloc(size_t size) {
    return aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}
static void *by_memalign(size_t size) {
    return memalign(ALIGNMENT, size);
}
#ifdef __linux__
static void *by_valloc(size_t size) {
    return valloc(size);
}
#endif

static void *operator_of(const char *symbol) {
    struct definition server, found;
    int known = find_definition("malloc", &server) && find_operator(symbol, &server, &found);
    return known ? found.address : NULL;
}

/* In place of std::nothrow: nobody looks into it. */
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

const struct entry SYSTEM_ENTRIES[] = {
    {"aligned_alloc", 2 * ALIGNMENT, by_aligned_alloc, free},
    {"memalign", ALIGNMENT, by_memalign, free},
#ifdef __linux__
    {"valloc", LOOKUP_STEP, by_valloc, free},
#endif
    {"operator new", 1, by_new, by_delete},
    {"operator new[]", 1, by_new_array, by_delete_array},
    {"operator new (nothrow)", 1, by_new_nothrow, by_delete},
    {"operator new[] (nothrow)", 1, by_new_array_nothrow, by_delete_array},
    {"operator new (aligned)", ALIGNMENT, by_new_aligned, by_delete_aligned},
    {"operator new[] (aligned)", ALIGNMENT, by_new_array_aligned, by_delete_array_aligned},
    {NULL, 0, NULL, NULL},
};

#endif
