/*
 * When a stack was taken, by what the runtime had compiled: an engine throws code away and uses its place
 * again, and its map of code has no times. A stack ends with how far the map was written by then, so that a
 * reader takes what had the place at that moment: runtimes write each line at once, before the code runs.
 */
#define _GNU_SOURCE
#include "profiling.h"

#include "unwind.h"

#ifdef HAS_UNWINDER

#include <errno.h>
#include <sys/stat.h>

/* Above all addresses of a process, and a number that readers can count with: 2^52. */
#define MARK ((uintptr_t)1 << 52)

static const char *map_path;

void mark_moments(const char *path) {
    map_path = path;
}

void take_marked_backtrace(void **addresses, unsigned *count, unsigned most) {
    struct stat it;
    int before = errno;
    take_backtrace(addresses, count, most);
    if (map_path != NULL && most > 0 && stat(map_path, &it) == 0) {
        unsigned last = *count < most ? *count : most - 1;
        addresses[last] = (void *)(MARK + (uintptr_t)it.st_size);
        *count = last + 1;
    }
    errno = before;
}

#else
typedef int code_moment_is_for_glibc;
#endif
