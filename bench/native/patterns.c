#define _GNU_SOURCE
#include "patterns.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "blocks.h"
#include "random.h"

enum {
  /* Blocks that a thread holds: of the smaller patterns some megabytes, of `large` 128 or so. */
  HELD_SMALL = 4096,
  HELD_LARGE = 64,
  /* `larson`: how many blocks a thread replaces before it hands its array on. */
  LAP = 100000,
  RING = 1024,
};

/* Replaces blocks at random places of an array. */
static void replace(share *mine, block *held, uint32_t count, random_source *source, uint64_t turns,
                    size_t (*size)(random_source *)) {
  for (uint64_t turn = 0; turn < turns; turn++) {
    block *at = &held[random_below(source, count)];
    give(mine, at, turn);
    *at = take(mine, size(source), turn);
  }
}

static void give_all(share *mine, block *held, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) give(mine, &held[i], i);
}

static size_t small_size(random_source *source) { return random_size(source, 3, 9); }
static size_t large_size(random_source *source) { return random_size(source, 15, 22); }
static size_t server_size(random_source *source) { return random_size(source, 4, 10); }

/* Documents: of a hundred blocks 90 are nodes and strings, 9 are buffers, one is a whole page image. */
static size_t mixed_size(random_source *source) {
  uint32_t kind = random_below(source, 100);
  if (kind < 90) return random_size(source, 4, 10);
  return kind < 99 ? random_size(source, 10, 16) : random_size(source, 16, 20);
}

static void run_held(share *mine, uint32_t count, size_t (*size)(random_source *)) {
  random_source source = random_from(mine->seed, mine->index);
  block *held = make_blocks(count);
  replace(mine, held, count, &source, mine->operations, size);
  give_all(mine, held, count);
  free(held);
}

static void run_small(share *mine) { run_held(mine, HELD_SMALL, small_size); }
static void run_large(share *mine) { run_held(mine, HELD_LARGE, large_size); }
static void run_mixed(share *mine) { run_held(mine, HELD_SMALL, mixed_size); }

/* Servers whose threads come and go: after each lap a new thread takes the array over, and frees what
 * the one before allocated (Larson and Krishnan, "Memory allocation for long-running server
 * applications", 1998). */
typedef struct {
  share *mine;
  block *held;
  random_source source;
  uint64_t turns;
} lap;

static void *run_lap(void *given) {
  lap *of = given;
  replace(of->mine, of->held, HELD_SMALL, &of->source, of->turns, server_size);
  return NULL;
}

static void run_larson(share *mine) {
  block *held = make_blocks(HELD_SMALL);
  lap next = {mine, held, random_from(mine->seed, mine->index), 0};
  for (uint64_t left = mine->operations; left > 0; left -= next.turns) {
    next.turns = left < LAP ? left : LAP;
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_lap, &next) != 0) fail("no thread could be started");
    pthread_join(thread, NULL);
  }
  give_all(mine, held, HELD_SMALL);
  free(held);
}

/* Blocks go through a bounded ring from the thread that allocates to the one that frees. */
typedef struct {
  _Alignas(64) _Atomic uint64_t written;
  _Alignas(64) _Atomic uint64_t read;
  block slots[RING];
} ring;

static void *make_rings(unsigned threads) {
  ring *rings = aligned_alloc(64, sizeof *rings * (threads / 2 + 1));
  if (rings == NULL) fail("there is no memory for the rings");
  for (unsigned i = 0; i < threads / 2 + 1; i++) {
    atomic_init(&rings[i].written, 0);
    atomic_init(&rings[i].read, 0);
  }
  return rings;
}

static void produce(share *mine, ring *to, random_source *source) {
  for (uint64_t turn = 0; turn < mine->operations; turn++) {
    block made = take(mine, server_size(source), turn);
    while (turn - atomic_load_explicit(&to->read, memory_order_acquire) == RING) sched_yield();
    to->slots[turn % RING] = made;
    atomic_store_explicit(&to->written, turn + 1, memory_order_release);
  }
}

static void consume(share *mine, ring *from) {
  for (uint64_t turn = 0; turn < mine->operations; turn++) {
    while (atomic_load_explicit(&from->written, memory_order_acquire) == turn) sched_yield();
    block got = from->slots[turn % RING];
    atomic_store_explicit(&from->read, turn + 1, memory_order_release);
    give(mine, &got, turn);
  }
}

/* Threads in pairs; one without a partner does both ends of its own ring, a block at a time. */
static void run_producer_consumer(share *mine) {
  ring *with = (ring *)mine->shared + mine->index / 2;
  random_source source = random_from(mine->seed, mine->index / 2);
  bool alone = mine->index % 2 == 0 && mine->index + 1 == mine->threads;
  if (alone) {
    for (uint64_t turn = 0; turn < mine->operations; turn++) {
      block made = take(mine, server_size(&source), turn);
      give(mine, &made, turn);
    }
  } else if (mine->index % 2 == 0) {
    produce(mine, with, &source);
  } else {
    consume(mine, with);
  }
}

/* Buffers that grow as parsers and writers grow them: by half, to some hundred KiB, then freed. */
static void run_realloc(share *mine) {
  enum { LEAST = 64, MOST = 256 * 1024 };
  random_source source = random_from(mine->seed, mine->index);
  block grown = {NULL, 0};
  size_t limit = 0;
  for (uint64_t turn = 0; turn < mine->operations; turn++) {
    if (grown.bytes == NULL) {
      grown = take(mine, LEAST, turn);
      limit = random_size(&source, 10, 18);
      continue;
    }
    size_t size = grown.size + grown.size / 2;
    bool timed = turn % TIMED_EACH == 0;
    uint64_t start = timed ? now() : 0;
    unsigned char *moved = realloc(grown.bytes, size);
    if (timed) histogram_add(&mine->allocation, now() - start);
    if (moved == NULL) fail("realloc gave no memory");
    grown = (block){moved, size};
    grown.bytes[size - 1] = (unsigned char)turn;
    mine->bytes += size;
    if (size > limit) give(mine, &grown, turn);
  }
  give(mine, &grown, 0);
}

/* The same loop without an allocator: what no allocator can be faster than. */
static void run_none(share *mine) {
  random_source source = random_from(mine->seed, mine->index);
  block *held = make_blocks(HELD_SMALL);
  unsigned char *bytes = calloc(HELD_SMALL, 1024);
  if (bytes == NULL) fail("there is no memory for the blocks");
  for (uint64_t turn = 0; turn < mine->operations; turn++) {
    uint32_t at = random_below(&source, HELD_SMALL);
    if (held[at].bytes != NULL) mine->checksum += held[at].bytes[0] + held[at].bytes[held[at].size - 1];
    held[at] = (block){bytes + (size_t)at * 1024, small_size(&source)};
    touch(held[at], (unsigned char)(turn + held[at].size));
    mine->bytes += held[at].size;
  }
  free(bytes);
  free(held);
}

const pattern PATTERNS[] = {
    {"larson", run_larson, NULL, NULL},
    {"producer-consumer", run_producer_consumer, make_rings, free},
    {"small", run_small, NULL, NULL},
    {"large", run_large, NULL, NULL},
    {"mixed", run_mixed, NULL, NULL},
    {"realloc", run_realloc, NULL, NULL},
    {"alloc-test", run_alloc_test, NULL, NULL},
    {"glibc-bench", run_glibc_bench, NULL, NULL},
    {"mstress", run_mstress, make_mstress, free_mstress},
    {"foreign-free", run_foreign_free, NULL, NULL},
    {"none", run_none, NULL, NULL},
};
const unsigned PATTERN_COUNT = sizeof PATTERNS / sizeof *PATTERNS;
