/*
 * macOS: an inserted library takes over by registering a zone in front of the system's, by
 * interposing the functions, or both. malloc stays where it is, so no object identity tells who
 * serves it: the zone that a block belongs to does, and the allocator's own answers.
 */
#ifndef OFFHEAP_SERVING_MACOS_H
#define OFFHEAP_SERVING_MACOS_H

#include <dlfcn.h>
#include <malloc/malloc.h>
#include <stdio.h>

#define PRELOAD_VARIABLE "DYLD_INSERT_LIBRARIES"
#define SYSTEM_SYMBOL "malloc_default_zone"

static void *definition_of(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}

static const char *serves_malloc(void *symbol) {
    (void)symbol;
    return NULL;
}

static void *base_of(const void *address) {
    Dl_info info;
    return address != NULL && dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* The zone of a block must be one whose functions are the system library's. */
static const char *check_system(void *symbol) {
    char on_stack = 0;
    void *block = probe_block();
    const malloc_zone_t *zone = malloc_zone_from_ptr(block);
    int claims_all = malloc_zone_from_ptr(&on_stack) != NULL ||
                     malloc_zone_from_ptr(&static_control) != NULL;
    const void *function = NULL;
    if (zone != NULL) memcpy(&function, &zone->malloc, sizeof function);
    int own = zone != NULL && base_of(function) == base_of(symbol);
    free(block);
    if (claims_all) return "a zone claims memory that no allocator owns";
    if (zone == NULL) return "a block from malloc belongs to no zone";
    return own ? NULL : "a block from malloc belongs to another allocator's zone";
}

static void describe_server(char *text, size_t length) {
    void *block = probe_block();
    malloc_zone_t *zone = malloc_zone_from_ptr(block);
    const char *name = zone != NULL ? malloc_get_zone_name(zone) : NULL;
    snprintf(text, length, "the zone \"%s\"", name != NULL ? name : "unknown");
    free(block);
}

#endif
