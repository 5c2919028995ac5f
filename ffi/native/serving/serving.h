/*
 * Whether an allocator serves malloc in this process, by evidence: its answers about blocks that
 * each entry point gave, and about memory that it did not give. Systems with a preload have it.
 */
#ifndef OFFHEAP_SERVING_H
#define OFFHEAP_SERVING_H

#include <stddef.h>

/* Where an answer of "no" says why. */
struct answer {
    char *text;
    size_t length;
};

/*
 * 1 when the allocator of that name serves malloc and every other entry point, and is the file at
 * the path unless that is empty; else 0, with the reason.
 */
int is_serving(const char *name, const char *path, const struct answer *why);

/* Who serves malloc, for a message. */
void describe_server(char *text, size_t length);

#endif
