/*
 * Which process a launch meant. Systems with a preload have it.
 */
#include "launched.h"

#ifndef _WIN32

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The place of the start among the fields of /proc/PID/stat, and of the program's name. */
#define START_FIELD 22
#define NAME_FIELD 2

/* Whether the kernel started this process at a time, given in its own words. */
static int started_at(const char *start, size_t length) {
    char text[1024];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return 0;
    text[size] = '\0';
    /* The name is in parentheses, and any character may be in it. */
    const char *field = strrchr(text, ')');
    for (int at = NAME_FIELD; field != NULL && at < START_FIELD; at++) {
        field = strchr(field + 1, ' ');
    }
    if (field == NULL) return 0;
    return strcspn(field + 1, " ") == length && memcmp(field + 1, start, length) == 0;
}

const char *meant_for_this_process(const char *variable) {
    const char *value = getenv(variable);
    if (value == NULL) return NULL;
    char *end;
    if (strtol(value, &end, 10) != (long)getpid()) return NULL;
    if (*end == ':') return end + 1;
    const char *colon = strchr(end, ':');
    if (*end != '.' || colon == NULL) return NULL;
    return started_at(end + 1, (size_t)(colon - end - 1)) ? colon + 1 : NULL;
}

#endif
