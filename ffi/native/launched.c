/*
 * Which process a launch meant. Systems with a preload have it.
 */
#define _GNU_SOURCE
#include "launched.h"

#ifndef _WIN32

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The place of the start among the fields of /proc/PID/stat, and of the program's name. */
#define START_FIELD 22
#define NAME_FIELD 2

struct word {
    char text[32];
    size_t length;
};

/* When the kernel started this process, in its own words; of length 0 where it does not report it. */
static struct word read_start(void) {
    struct word start = {.length = 0};
    char text[1024];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return start;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return start;
    text[size] = '\0';
    /* The name is in parentheses, and any character may be in it. */
    const char *field = strrchr(text, ')');
    for (int at = NAME_FIELD; field != NULL && at < START_FIELD; at++) {
        field = strchr(field + 1, ' ');
    }
    if (field == NULL) return start;
    size_t length = strcspn(field + 1, " ");
    if (length >= sizeof start.text) return start;
    memcpy(start.text, field + 1, length);
    start.text[length] = '\0';
    start.length = length;
    return start;
}

/* The same, read once: before main there is one thread, which asks for each variable. */
static const struct word *own_start(void) {
    static struct word start;
    if (start.length == 0) start = read_start();
    return &start;
}

static int is_start(const struct word *own, const char *start, size_t length) {
    return own->length == length && memcmp(own->text, start, length) == 0;
}

const char *meant_for_this_process(const char *variable) {
    const char *value = getenv(variable);
    if (value == NULL) return NULL;
    if (value[0] == FIRST_PROCESS && value[1] == ':') return value + 2;
    char *end;
    if (strtol(value, &end, 10) != (long)getpid()) return NULL;
    if (*end == ':') return end + 1;
    const char *colon = strchr(end, ':');
    if (*end != '.' || colon == NULL) return NULL;
    return is_start(own_start(), end + 1, (size_t)(colon - end - 1)) ? colon + 1 : NULL;
}

void set_variable(const char *name, const char *value) {
    if (value != NULL) {
        int (*set)(const char *, const char *, int);
        *(void **)&set = dlsym(RTLD_NEXT, "setenv");
        set(name, value, 1);
    } else {
        int (*unset)(const char *);
        *(void **)&unset = dlsym(RTLD_NEXT, "unsetenv");
        unset(name);
    }
}

void name_this_process(const char *variable) {
    const char *rest = meant_for_this_process(variable);
    if (rest == NULL) return;
    const struct word *start = own_start();
    size_t size = strlen(rest) + sizeof start->text + 32;
    char *value = malloc(size);
    /* Without memory its children take the variable for theirs, too, which is the safe side. */
    if (value == NULL) return;
    snprintf(value, size, "%ld%s%s:%s", (long)getpid(), start->length > 0 ? "." : "", start->text, rest);
    if (strcmp(value, getenv(variable)) != 0) set_variable(variable, value);
    free(value);
}

int is_this_process(const char *identity) {
    char *end;
    if (strtol(identity, &end, 10) != (long)getpid()) return 0;
    if (*end == '\0') return 1;
    /* In a process that may have many threads, and be a child that shares memory with its parent. */
    struct word own = read_start();
    /* In a root without /proc the number decides. */
    if (own.length == 0) return 1;
    return *end == '.' && is_start(&own, end + 1, strlen(end + 1));
}

#endif
