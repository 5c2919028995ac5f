/*
 * Clocks, small files and kept descriptors, without malloc and standard I/O.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_LINE 2048

static uint64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000 * MS + (uint64_t)time.tv_nsec;
}

uint64_t now_ns(void) {
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t processor_ns(void) {
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

long read_small(const char *path, char *buffer, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t length = read(file, buffer, size - 1);
    close(file);
    if (length >= 0) buffer[length] = '\0';
    return length;
}

int read_number(const char *path, uint64_t *value) {
    char text[64], *end;
    if (read_small(path, text, sizeof text) <= 0) return 0;
    *value = strtoull(text, &end, 10);
    return end != text;
}

void read_lines(const char *path, int (*take)(char *line, void *data), void *data) {
    char line[LONGEST_LINE], part[512];
    size_t length = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    for (ssize_t got; (got = read(file, part, sizeof part)) > 0;) {
        for (ssize_t i = 0; i < got; i++) {
            if (part[i] != '\n') {
                if (length < sizeof line - 1) line[length++] = part[i];
                continue;
            }
            line[length] = '\0';
            length = 0;
            if (take(line, data)) continue;
            close(file);
            return;
        }
    }
    close(file);
}

uint64_t resident_bytes(void) {
    char text[128], *end;
    if (read_small("/proc/self/statm", text, sizeof text) <= 0) return 0;
    strtoull(text, &end, 10);
    return strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct kept_descriptor keep_descriptor(int number) {
    struct stat it;
    if (number < 0 || fstat(number, &it) != 0) return (struct kept_descriptor){.number = -1};
    return (struct kept_descriptor){number, it.st_dev, it.st_ino};
}

int kept_number(const struct kept_descriptor *kept) {
    struct stat it;
    if (kept->number < 0 || fstat(kept->number, &it) != 0) return -1;
    return it.st_dev == kept->device && it.st_ino == kept->node ? kept->number : -1;
}

#else
typedef int files_are_for_linux;
#endif
