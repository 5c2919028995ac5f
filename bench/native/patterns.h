/* What the threads of the benchmark do; each pattern is one row of PATTERNS. */
#ifndef OFFHEAP_BENCH_PATTERNS_H
#define OFFHEAP_BENCH_PATTERNS_H

#include <stdint.h>

#include "histogram.h"

/* One thread's share of the work, and what came of it. */
typedef struct {
  unsigned index;
  unsigned threads;
  uint64_t operations;
  uint64_t seed;
  void *shared; /* the pattern's own, or NULL */
  /* Results: sums, so that they do not depend on which thread was first. */
  uint64_t bytes;
  uint64_t checksum;
  histogram allocation;
  histogram release;
} share;

typedef struct {
  const char *name;
  void (*run)(share *mine);
  /* Made once before the threads start and freed after they ended; may be NULL. */
  void *(*prepare)(unsigned threads);
  void (*finish)(void *shared);
} pattern;

/* Patterns of benchmarks that others publish, each in a file of its own. */
void run_alloc_test(share *mine);
void run_glibc_bench(share *mine);
void run_foreign_free(share *mine);
void run_mstress(share *mine);
void *make_mstress(unsigned threads);
void free_mstress(void *shared);

extern const pattern PATTERNS[];
extern const unsigned PATTERN_COUNT;

#endif
