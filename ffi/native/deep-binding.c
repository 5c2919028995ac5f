/*
 * A library that is opened with RTLD_DEEPBIND, as PHP opens its extensions, finds the C library's
 * malloc and free before the allocator's: the first block that crosses ends the program. Where
 * another allocator serves malloc it is opened without that flag, as systems do that have none.
 *
 * The C library looks for a name by the run path of the library that calls dlopen, which it knows
 * by the return address: so nothing may be called from here but by a jump, as the last thing.
 */
#define _GNU_SOURCE
#include <stdlib.h> /* says which C library it is */

#ifdef __GLIBC__

#include <dlfcn.h>

#include "platform/platform.h"
#include "serving/elf-symbols.h"
#include "serving/parts.h"

typedef void *(*dlopen_fn)(const char *, int);

static dlopen_fn find_next(void) {
    static dlopen_fn known;
    dlopen_fn next = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
        __atomic_store_n(&known, next, __ATOMIC_RELAXED);
    }
    return next;
}

/* The flags without RTLD_DEEPBIND, where malloc is not the C library's own, as under --allocator
   system. Not inlined: with the addresses of its locals about, dlopen below could not end in a jump. */
static __attribute__((noinline)) int flags_to_open(int flags) {
    struct definition libc, server;
    if ((flags & RTLD_DEEPBIND) == 0) return flags;
    if (!find_definition(SYSTEM_SYMBOL, &libc) || !find_definition("malloc", &server)) return flags;
    return libc.base == server.base ? flags : flags & ~RTLD_DEEPBIND;
}

/* Ends in a jump, or is not compiled; gcc before 15 has no word for it, and a test. */
#if defined(__has_attribute)
#if __has_attribute(musttail)
#define MUST_JUMP __attribute__((musttail))
#endif
#endif
#ifndef MUST_JUMP
#define MUST_JUMP
#endif

EXPORT void *dlopen(const char *path, int flags) {
    dlopen_fn next = find_next();
    if (next == NULL) return NULL;
    flags = flags_to_open(flags);
    MUST_JUMP return next(path, flags);
}

#else
typedef int deep_binding_is_for_glibc;
#endif
