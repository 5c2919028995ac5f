/*
 * Who serves this process's malloc, by evidence: the object that holds the function, the version that
 * the allocator in that object reports, and whether it owns or counted a fresh block.
 */
#ifndef OFFHEAP_BENCH_SERVING_H
#define OFFHEAP_BENCH_SERVING_H

#include <stdbool.h>

typedef struct {
  const char *allocator; /* "unknown" when no known one is in the object */
  const char *object;    /* the file's path as the dynamic linker has it */
  bool verified;
} serving;

serving who_serves(void);

#endif
