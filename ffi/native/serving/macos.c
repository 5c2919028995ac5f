/*
 * macOS: an inserted library takes over by registering a zone in front of the system's, by
 * interposing the functions, or both. malloc stays where it is, so no object identity says who
 * serves it: the zone that a block belongs to does, and the allocator's own answers.
 */
#include "parts.h"

#ifdef __APPLE__

#include <dlfcn.h>
#include <malloc/malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No zone may claim it. */
static char static_control;

const struct entry SYSTEM_ENTRIES[] = {{NULL, 0, NULL, NULL}};

int find_server(const char *symbol, void **function, const struct answer *why) {
    *function = dlsym(RTLD_DEFAULT, symbol);
    return *function != NULL || no(why, "it is not loaded");
}

/* A zone's functions need not be in the file that was inserted. */
int check_file(const char *path, const struct answer *why) {
    (void)path, (void)why;
    return 1;
}

/* All of them ask the zones; their blocks show who serves them. */
int check_functions(const struct answer *why) {
    (void)why;
    return 1;
}

int check_left(const struct answer *why) {
    (void)why;
    return 1;
}

int check_operators(const struct answer *why) {
    (void)why;
    return 1;
}

size_t list_controls(struct control *list, size_t most) {
    (void)list, (void)most;
    return 0;
}

static void *base_of(const void *address) {
    Dl_info info;
    return address != NULL && dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* The zone of a block must be one whose functions are the system library's. */
int system_owns(void *function, const void *block, size_t size) {
    const malloc_zone_t *zone = malloc_zone_from_ptr(block);
    const void *allocate = NULL;
    (void)size;
    if (zone == NULL || malloc_zone_from_ptr(&static_control) != NULL) return 0;
    memcpy(&allocate, &zone->malloc, sizeof allocate);
    return base_of(allocate) == base_of(function);
}

void describe_server(char *text, size_t length) {
    void *block = malloc(1);
    malloc_zone_t *zone = malloc_zone_from_ptr(block);
    const char *name = zone != NULL ? malloc_get_zone_name(zone) : NULL;
    snprintf(text, length, "the zone \"%s\"", name != NULL ? name : "unknown");
    free(block);
}

#endif
