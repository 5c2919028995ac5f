/*
 * Files with what a heap profile is made of. They are beside the socket, where this user alone may look,
 * and whoever asked for one removes it.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned written;

/* The path of a dump; 0 where the socket has no directory, or the path is too long. */
static int name_dump(unsigned number, char *path, size_t size) {
    const char *directory;
    size_t length = socket_directory(&directory);
    if (length == 0) return 0;
    int wanted = snprintf(path, size, "%.*s/%d.%u.heap", (int)length, directory, (int)getpid(), number);
    return wanted > 0 && (size_t)wanted < size;
}

/* The allocator opens the file by its name, for everybody to read: it is there before, and keeps its mode. */
static int make_private_file(const char *path) {
    enum { FLAGS = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC };
    int file = open(path, FLAGS, 0600);
    /* One that an earlier process of this number left. */
    if (file < 0 && errno == EEXIST && unlink(path) == 0) file = open(path, FLAGS, 0600);
    if (file < 0) return 0;
    close(file);
    return 1;
}

const char *dump_samples(const struct sampling *sampling, char *path, size_t size) {
    if (!name_dump(written + 1, path, size)) {
        return "a profile needs a directory that is its user's alone, and there is none in XDG_RUNTIME_DIR or /tmp";
    }
    if (!make_private_file(path)) {
        return "no file could be made in the agent's directory: its file system may be full, or the process has changed its user";
    }
    written++;
    const char *why = sampling->dump(path);
    if (why != NULL) unlink(path);
    return why;
}

void remove_dumps(void) {
    char path[160];
    for (unsigned i = 1; i <= written && name_dump(i, path, sizeof path); i++) unlink(path);
}

#else
typedef int dumps_are_for_linux;
#endif
