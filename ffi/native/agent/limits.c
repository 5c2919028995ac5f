/*
 * How near this process is to a limit of memory: its control groups', the host's and the user's.
 * Files are opened at each look, as groups and limits change.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No group is deeper; what is above the eighth is left out. */
#define MAX_LEVELS 8
/* Version 1 shows the largest multiple of a page below 2^63 where there is no limit. */
#define UNLIMITED (UINT64_C(1) << 62)
#define WHOLE 1000

/* What differs between the versions of control groups; `high` throttles, and is a limit as well. */
struct hierarchy {
    int version;
    const char *type, *limit, *high, *usage, *inactive;
};

static const struct hierarchy HIERARCHIES[] = {
    {1, "cgroup", "memory.limit_in_bytes", NULL, "memory.usage_in_bytes", "total_inactive_file "},
    {2, "cgroup2", "memory.max", "memory.high", "memory.current", "inactive_file "},
};

/* How many looks the limits themselves are believed: they seldom change, while the usage does. */
#define BELIEVED 32

/* The group's directory, without a slash at its end, and the length of its mount point. */
static char directory[1024];
static size_t mount_length;
static const struct hierarchy *hierarchy;

/* What is looked for in /proc/self/cgroup and /proc/self/mountinfo, and found there. */
struct search {
    const struct hierarchy *hierarchy;
    char group[512], root[512], point[512];
    int found;
};

static int is_listed(char *list, const char *word) {
    for (char *name; (name = strsep(&list, ",")) != NULL;) {
        if (strcmp(name, word) == 0) return 1;
    }
    return 0;
}

/* "ID:CONTROLLERS:PATH"; version 2 has no controllers there. */
static int take_group(char *line, void *data) {
    struct search *search = data;
    char *rest = line;
    strsep(&rest, ":");
    char *controllers = strsep(&rest, ":");
    if (rest == NULL) return 1;
    search->found = search->hierarchy->version == 2 ? *controllers == '\0' : is_listed(controllers, "memory");
    if (search->found) snprintf(search->group, sizeof search->group, "%s", rest);
    return !search->found;
}

/* "ID PARENT DEVICE ROOT POINT OPTIONS… - TYPE SOURCE OPTIONS". */
static int take_mount(char *line, void *data) {
    struct search *search = data;
    char type[32], options[512], *dash = strstr(line, " - ");
    if (dash == NULL || sscanf(dash, " - %31s %*s %511s", type, options) != 2) return 1;
    if (strcmp(type, search->hierarchy->type) != 0) return 1;
    if (search->hierarchy->version == 1 && !is_listed(options, "memory")) return 1;
    search->found = sscanf(line, "%*s %*s %*s %511s %511s", search->root, search->point) == 2;
    return !search->found;
}

static int find_in(struct search *search, const char *path, int (*take)(char *, void *)) {
    search->found = 0;
    read_lines(path, take, search);
    return search->found;
}

void find_limits(void) {
    for (size_t i = 0; i < COUNT_OF(HIERARCHIES); i++) {
        struct search search = {.hierarchy = &HIERARCHIES[i]};
        if (!find_in(&search, "/proc/self/cgroup", take_group)) continue;
        if (!find_in(&search, "/proc/self/mountinfo", take_mount)) continue;
        /* A group outside of what is mounted shows as the mount itself. */
        size_t prefix = strcmp(search.root, "/") == 0 ? 0 : strlen(search.root);
        const char *inside = strncmp(search.group, search.root, prefix) == 0 ? search.group + prefix : "";
        if (*inside != '/' || inside[1] == '\0') inside = "";
        int length = snprintf(directory, sizeof directory, "%s%s", search.point, inside);
        if (length < 0 || (size_t)length >= sizeof directory) continue;
        mount_length = strlen(search.point);
        hierarchy = &HIERARCHIES[i];
        return;
    }
}

const char *unified_group(void) {
    return hierarchy != NULL && hierarchy->version == 2 ? directory : NULL;
}

static int read_in(size_t length, const char *name, uint64_t *value) {
    char path[1200];
    if (name == NULL) return 0;
    snprintf(path, sizeof path, "%.*s/%s", (int)length, directory, name);
    return read_number(path, value);
}

/* A line of memory.stat. */
static int read_stat(size_t length, const char *name, uint64_t *value) {
    char path[1200], text[4096];
    snprintf(path, sizeof path, "%.*s/memory.stat", (int)length, directory);
    if (read_small(path, text, sizeof text) < 0) return 0;
    size_t size = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, size) != 0) continue;
        *value = strtoull(line + size, NULL, 10);
        return 1;
    }
    return 0;
}

static int larger(int a, int b) {
    return a > b ? a : b;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static int part_of(uint64_t used, uint64_t limit) {
    return limit == 0 ? WHOLE : (int)((double)used / (double)limit * WHOLE);
}

/* The groups that have a limit: the lengths of their directories' paths, and the limits. */
static struct {
    size_t length;
    uint64_t limit;
} limited[MAX_LEVELS];
static size_t limited_count;
/* The tightest of them, or the host's memory. */
static uint64_t tightest;
static unsigned looks;

static uint64_t limit_of(size_t length, int own) {
    uint64_t limit = UNLIMITED, value;
    if (read_in(length, hierarchy->limit, &value)) limit = least(limit, value);
    if (read_in(length, hierarchy->high, &value)) limit = least(limit, value);
    /* A container often cannot see its ancestors; version 1 reports their limit here all the same. */
    if (own && hierarchy->version == 1 && read_stat(length, "hierarchical_memory_limit ", &value)) {
        limit = least(limit, value);
    }
    return limit;
}

static void read_limits(void) {
    limited_count = 0;
    tightest = UNLIMITED;
    size_t length = strlen(directory);
    for (int level = 0; hierarchy != NULL && level < MAX_LEVELS; level++) {
        uint64_t limit = limit_of(length, level == 0);
        tightest = least(tightest, limit);
        if (limit < UNLIMITED) {
            limited[limited_count].length = length;
            limited[limited_count++].limit = limit;
        }
        if (length <= mount_length) break;
        while (length > mount_length && directory[--length] != '/') continue;
        /* Without this, version 1 does not charge a parent for its children. */
        uint64_t inherits = 1;
        if (hierarchy->version == 1 && read_in(length, "memory.use_hierarchy", &inherits) && !inherits) break;
    }
}

static int used_of_group(size_t length, uint64_t limit) {
    uint64_t usage, inactive = 0;
    if (!read_in(length, hierarchy->usage, &usage)) return -1;
    int used = part_of(usage, limit);
    /* Only near the limit does it matter what the kernel could drop: files that nobody used lately. */
    if (used <= WHOLE / 2 || !read_stat(length, hierarchy->inactive, &inactive)) return used;
    return part_of(usage > inactive ? usage - inactive : 0, limit);
}

/* The host is short when little is available, whatever this process uses of it. */
static int used_of_host(void) {
    char text[512];
    if (read_small("/proc/meminfo", text, sizeof text) < 0) return -1;
    const char *first = strstr(text, "MemTotal:"), *second = strstr(text, "MemAvailable:");
    if (first == NULL || second == NULL) return -1;
    uint64_t total = strtoull(first + sizeof "MemTotal:" - 1, NULL, 10);
    uint64_t available = strtoull(second + sizeof "MemAvailable:" - 1, NULL, 10);
    tightest = least(tightest, total * 1024);
    return total == 0 || available > total ? -1 : part_of(total - available, total);
}

uint64_t user_limit(void) {
    if (agent_state.limit_percent == 0) return agent_state.limit;
    return tightest == 0 ? 0 : (uint64_t)((double)tightest * agent_state.limit_percent / 100);
}

int used_of_limit(void) {
    if (looks++ % BELIEVED == 0) read_limits();
    int used = used_of_host();
    for (size_t i = 0; i < limited_count; i++) {
        used = larger(used, used_of_group(limited[i].length, limited[i].limit));
    }
    uint64_t own = user_limit();
    return own == 0 ? used : larger(used, part_of(resident_bytes(), own));
}

#else
typedef int limits_are_for_linux;
#endif
