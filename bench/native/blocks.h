/* Blocks as the patterns allocate, touch, time and free them. */
#ifndef OFFHEAP_BENCH_BLOCKS_H
#define OFFHEAP_BENCH_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "histogram.h"
#include "patterns.h"

enum {
  TOUCHED_EACH = 4096, /* a page */
  /* Few calls are timed, as the clock takes as long as a call; an odd step meets every place. */
  TIMED_EACH = 61,
};

typedef struct {
  unsigned char *bytes;
  size_t size;
} block;

static inline uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline _Noreturn void fail(const char *what) {
  fprintf(stderr, "churn: %s\n", what);
  exit(1);
}

/* Writes where a user would: the first byte, the last, and one in each page between. */
static inline void touch(block of, unsigned char mark) {
  for (size_t at = 0; at < of.size; at += TOUCHED_EACH) of.bytes[at] = mark;
  of.bytes[of.size - 1] = mark;
}

/* Allocates and touches a block, which counts for the share. */
static inline block take(share *mine, size_t size, uint64_t turn) {
  bool timed = turn % TIMED_EACH == 0;
  uint64_t start = timed ? now() : 0;
  block made = {malloc(size), size};
  if (timed) histogram_add(&mine->allocation, now() - start);
  if (made.bytes == NULL) fail("malloc gave no memory");
  touch(made, (unsigned char)(turn + size));
  mine->bytes += size;
  return made;
}

/* Frees a block, if there is one; what it held goes into the share's checksum. */
static inline void give(share *mine, block *of, uint64_t turn) {
  if (of->bytes == NULL) return;
  mine->checksum += of->bytes[0] + of->bytes[of->size - 1];
  bool timed = turn % TIMED_EACH == 0;
  uint64_t start = timed ? now() : 0;
  free(of->bytes);
  if (timed) histogram_add(&mine->release, now() - start);
  of->bytes = NULL;
}

/* An array of empty blocks. */
static inline block *make_blocks(uint32_t count) {
  block *made = calloc(count, sizeof *made);
  if (made == NULL) fail("there is no memory for the array of blocks");
  return made;
}

#endif
