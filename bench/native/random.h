/* Random numbers that a seed repeats: xorshift64* (Vigna, 2016). */
#ifndef OFFHEAP_BENCH_RANDOM_H
#define OFFHEAP_BENCH_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint64_t state;
} random_source;

static inline random_source random_from(uint64_t seed, uint64_t stream) {
  /* The state must not be 0; streams of neighbouring numbers must not be alike. */
  random_source source = {(seed + 1) * 0x9e3779b97f4a7c15u ^ (stream + 1) * 0xbf58476d1ce4e5b9u};
  if (source.state == 0) source.state = 1;
  return source;
}

static inline uint64_t random_next(random_source *source) {
  uint64_t x = source->state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  source->state = x;
  return x * 0x2545f4914f6cdd1du;
}

/* From 0 on and below the limit, by the upper half: the lower bits are the weaker ones. */
static inline uint32_t random_below(random_source *source, uint32_t limit) {
  return (uint32_t)(((random_next(source) >> 32) * limit) >> 32);
}

/* A size from least to most, where each power of two is as likely as another. */
static inline size_t random_size(random_source *source, unsigned least_log2, unsigned most_log2) {
  unsigned log2 = least_log2 + random_below(source, most_log2 - least_log2);
  size_t base = (size_t)1 << log2;
  return base + random_below(source, (uint32_t)base);
}

#endif
