/*
 * ELF systems: the first object in the search order that defines malloc serves it, and has to define
 * the other entry points as well.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __ELF__

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf-parts.h"

#define PROGRAM "/proc/self/exe"

/* By malloc's definer alone; whoever leaves one of them to another object is no allocator. */
static const char *const FUNCTIONS[] = {
    "free",          "calloc",   "realloc", "posix_memalign",
    "aligned_alloc", "memalign", "valloc",  "malloc_usable_size",
};

/* Those that an allocator may leave to the C library, whose own call realloc, or come from nowhere. */
static const char *const LEFT_TO_LIBC[] = {"reallocarray", "pvalloc", "cfree"};

const char *file_of(const struct definition *it) {
    return *it->object != '\0' ? it->object : PROGRAM;
}

int find_server(const char *symbol, void **function, const struct answer *why) {
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

int check_file(const char *path, const struct answer *why) {
    struct definition server;
    if (!find_definition("malloc", &server)) return no(why, "no object defines malloc");
    if (is_same_file(path, file_of(&server))) return 1;
    return no(why, "another copy of it serves malloc, \"%s\", and not \"%s\"", file_of(&server), path);
}

int check_functions(const struct answer *why) {
    struct definition server, found;
    if (!find_definition("malloc", &server)) return no(why, "no object defines malloc");
    for (size_t i = 0; i < COUNT_OF(FUNCTIONS); i++) {
        if (!find_definition(FUNCTIONS[i], &found) || found.base == server.base) continue;
        return no(why, "%s is served by another, \"%s\"", FUNCTIONS[i], file_of(&found));
    }
    return 1;
}

int check_left(const struct answer *why) {
    struct definition server, found, libc;
    if (!find_definition("malloc", &server)) return no(why, "no object defines malloc");
    /* What was opened later serves nobody by a function that the C library does not have. */
    const struct definition *last = find_definition(SYSTEM_SYMBOL, &libc) ? &libc : NULL;
    for (size_t i = 0; i < COUNT_OF(LEFT_TO_LIBC); i++) {
        if (!find_definition_up_to(last, LEFT_TO_LIBC[i], &found) || found.base == server.base) continue;
        if (last != NULL && found.base == last->base) continue;
        return no(why, "%s is served by another, \"%s\"", LEFT_TO_LIBC[i], file_of(&found));
    }
    return 1;
}

void describe_server(char *text, size_t length) {
    struct definition server;
    int known = find_definition("malloc", &server);
    char program[1024];
    ssize_t size = known && *server.object == '\0' ? readlink(PROGRAM, program, sizeof program - 1) : 0;
    program[size > 0 ? size : 0] = '\0';
    snprintf(text, length, "%s", !known ? "unknown" : size > 0 ? program : file_of(&server));
}

#endif
