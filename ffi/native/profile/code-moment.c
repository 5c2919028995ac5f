/*
 * When a stack was taken, by what the runtime had compiled: an engine throws code away and uses its place
 * again, and its map of code has no times. A stack ends with how far the map was written by then, so that a
 * reader takes what had the place at that moment.
 */
#define _GNU_SOURCE
#include "profiling.h"

#include "unwind.h"

#ifdef HAS_UNWINDER

#include <errno.h>
#include <sys/stat.h>

/*
 * Finer marks tell moments apart better, but each makes another stack of the same frames, which jemalloc
 * keeps apart. A map grows by about 1 MiB an hour.
 */
#define MARK_BYTES 16384
/* Nothing is ever mapped below: no address of code is as small. */
#define LARGEST_MARK 65535

static const char *map_path;

void mark_moments(const char *path) {
    map_path = path;
}

void take_marked_backtrace(void **addresses, unsigned *count, unsigned most) {
    struct stat it;
    int before = errno;
    take_backtrace(addresses, count, most);
    if (map_path != NULL && most > 0 && stat(map_path, &it) == 0) {
        uintptr_t mark = 1 + (uintptr_t)it.st_size / MARK_BYTES;
        unsigned last = *count < most ? *count : most - 1;
        addresses[last] = (void *)(mark < LARGEST_MARK ? mark : LARGEST_MARK);
        *count = last + 1;
    }
    errno = before;
}

#else
typedef int code_moment_is_for_glibc;
#endif
