/*
 * V8's flag for its map of code opens a log besides, "isolate-0x…-PID-v8.log", in the working directory of
 * every process and again for each worker. It grows with each page of the heap, and the flags that would
 * leave it out cannot be in NODE_OPTIONS. A file that takes nothing is opened in its place.
 */
#define _GNU_SOURCE
#include "profiling.h"

#include "unwind.h"

#ifdef HAS_UNWINDER

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../platform/platform.h"

#define LOG_START "isolate-0x"
#define LOG_END "-v8.log"
/* Of the kernel's headers, which older C libraries do not have. */
#define CLOSE_ON_EXEC 1U
#define ALLOW_SEALING 2U
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif
#define SEAL_GROW 4

typedef FILE *(*fopen_fn)(const char *path, const char *mode);

static int is_left_out;

void leave_out_engine_log(void) {
    is_left_out = 1;
}

static int is_engine_log(const char *path) {
    size_t length = strlen(path), start = sizeof LOG_START - 1, end = sizeof LOG_END - 1;
    return length > start + end && memcmp(path, LOG_START, start) == 0 && strcmp(path + length - end, LOG_END) == 0;
}

/* A regular file, as V8 wants one, that cannot grow. NULL where the kernel has none. */
static FILE *open_nothing(const char *mode) {
    int file = (int)syscall(SYS_memfd_create, "v8.log", CLOSE_ON_EXEC | ALLOW_SEALING);
    if (file < 0) return NULL;
    FILE *opened = fcntl(file, F_ADD_SEALS, SEAL_GROW) == 0 ? fdopen(file, mode) : NULL;
    if (opened == NULL) close(file);
    return opened;
}

static FILE *open_by(const char *name, fopen_fn *known, const char *path, const char *mode) {
    fopen_fn next = __atomic_load_n(known, __ATOMIC_RELAXED);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, name);
        if (next == NULL) {
            errno = ENOSYS;
            return NULL;
        }
        __atomic_store_n(known, next, __ATOMIC_RELAXED);
    }
    FILE *nothing = is_left_out && path != NULL && is_engine_log(path) ? open_nothing(mode) : NULL;
    return nothing != NULL ? nothing : next(path, mode);
}

EXPORT FILE *fopen(const char *path, const char *mode) {
    static fopen_fn known;
    return open_by("fopen", &known, path, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode) {
    static fopen_fn known;
    return open_by("fopen64", &known, path, mode);
}

#else
typedef int engine_log_is_for_glibc;
#endif
