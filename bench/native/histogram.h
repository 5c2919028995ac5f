/*
 * Counts of times by size: 32 steps for each power of two of nanoseconds, so that a value is known to
 * within 3 %. The layout is that of HdrHistogram with two significant digits, whose library is for
 * JavaScript; this one is merged and printed as percentiles.
 */
#ifndef OFFHEAP_BENCH_HISTOGRAM_H
#define OFFHEAP_BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum { STEP_BITS = 5, STEPS = 1 << STEP_BITS, BUCKETS = (64 - STEP_BITS + 1) * STEPS };

typedef struct {
  uint64_t counts[BUCKETS];
  uint64_t count;
  uint64_t sum;
  uint64_t most;
} histogram;

static inline unsigned bucket_of(uint64_t value) {
  if (value < STEPS) return (unsigned)value;
  unsigned shift = (unsigned)(63 - __builtin_clzll(value)) - STEP_BITS;
  return (shift + 1) * STEPS + (unsigned)((value >> shift) & (STEPS - 1));
}

/* The middle of a bucket. */
static inline uint64_t value_of(unsigned bucket) {
  if (bucket < STEPS) return bucket;
  unsigned shift = bucket / STEPS - 1;
  uint64_t low = (uint64_t)(STEPS + bucket % STEPS) << shift;
  return low + ((uint64_t)1 << shift) / 2;
}

static inline void histogram_add(histogram *into, uint64_t value) {
  into->counts[bucket_of(value)]++;
  into->count++;
  into->sum += value;
  if (value > into->most) into->most = value;
}

static inline void histogram_merge(histogram *into, const histogram *from) {
  for (unsigned i = 0; i < BUCKETS; i++) into->counts[i] += from->counts[i];
  into->count += from->count;
  into->sum += from->sum;
  if (from->most > into->most) into->most = from->most;
}

static inline uint64_t histogram_quantile(const histogram *of, double share) {
  uint64_t wanted = (uint64_t)(share * (double)of->count);
  uint64_t seen = 0;
  for (unsigned i = 0; i < BUCKETS; i++) {
    seen += of->counts[i];
    if (seen > wanted) return value_of(i) < of->most ? value_of(i) : of->most;
  }
  return of->most;
}

static inline void histogram_print(FILE *to, const char *name, const histogram *of) {
  fprintf(to,
          "\"%s\":{\"count\":%llu,\"mean\":%.1f,\"p50\":%llu,\"p95\":%llu,\"p99\":%llu,"
          "\"p999\":%llu,\"max\":%llu}",
          name, (unsigned long long)of->count, (double)of->sum / (double)of->count,
          (unsigned long long)histogram_quantile(of, 0.5),
          (unsigned long long)histogram_quantile(of, 0.95),
          (unsigned long long)histogram_quantile(of, 0.99),
          (unsigned long long)histogram_quantile(of, 0.999), (unsigned long long)of->most);
}

#endif
