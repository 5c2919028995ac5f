/*
 * The pattern of mimalloc's test-stress (in mimalloc-bench: mstress): rounds, in each of which new threads
 * allocate short-lived blocks and blocks that they keep to their end, free some early, and exchange
 * others with an array that all threads share. Half of what is in that array outlives a round, so blocks
 * are freed by other threads than made them, and after those have ended. What it shows is the peak.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "blocks.h"
#include "random.h"

enum {
  EXCHANGED = 1000,
  /* Blocks that a thread makes in a round: two short-lived for one that is kept. */
  ROUND = 24000,
  SHORT_LOG2 = 5,  /* up to 16 words */
  KEPT_LOG2 = 7,   /* up to 64 words */
  LARGE_TIMES = 100,
};

typedef uint64_t word;

typedef struct {
  pthread_barrier_t round;
  _Atomic(word *) exchanged[EXCHANGED];
} exchange;

typedef struct {
  share *mine;
  random_source source;
  uint64_t blocks;
} worker;

static bool chance(random_source *source, uint32_t percent) { return random_below(source, 100) < percent; }

/* The first word is the count of words; those after it are checked when the block is freed. */
static word *make(worker *of, unsigned limit_log2) {
  size_t words = (size_t)1 << random_below(&of->source, limit_log2);
  if (chance(&of->source, 1)) words *= LARGE_TIMES;
  word *made = calloc(words, sizeof *made);
  if (made == NULL) fail("calloc gave no memory");
  for (size_t i = 0; i < words; i++) {
    if (made[i] != 0) fail("calloc gave memory that is not zero");
    made[i] = words + i;
  }
  of->mine->bytes += words * sizeof *made;
  return made;
}

static void discard(share *mine, word *made) {
  if (made == NULL) return;
  word words = made[0];
  for (word i = 0; i < words; i++) {
    if (made[i] != words + i) fail("a block was damaged");
  }
  mine->checksum += words;
  free(made);
}

static word **make_table(uint64_t count) {
  word **made = calloc(count + 1, sizeof *made);
  if (made == NULL) fail("there is no memory for the table");
  return made;
}

static void *work(void *given) {
  worker *of = given;
  share *mine = of->mine;
  exchange *with = mine->shared;
  uint64_t keeping = of->blocks / 3, made = 0, kept = 0;
  word **shorts = make_table(of->blocks - keeping), **keeps = make_table(keeping);
  while (made + kept < of->blocks) {
    bool keep = kept < keeping && (made == of->blocks - keeping || chance(&of->source, 50));
    if (keep) keeps[kept++] = make(of, KEPT_LOG2);
    else shorts[made++] = make(of, SHORT_LOG2);
    if (made == 0) continue;
    if (chance(&of->source, 66)) {
      word **at = &shorts[random_below(&of->source, (uint32_t)made)];
      discard(mine, *at);
      *at = NULL;
    }
    if (chance(&of->source, 25)) {
      word **at = &shorts[random_below(&of->source, (uint32_t)made)];
      *at = atomic_exchange(&with->exchanged[random_below(&of->source, EXCHANGED)], *at);
    }
  }
  for (uint64_t i = 0; i < kept; i++) discard(mine, keeps[i]);
  for (uint64_t i = 0; i < made; i++) discard(mine, shorts[i]);
  free(keeps);
  free(shorts);
  return NULL;
}

/* Frees what is in the shared array: every other block, or all. */
static void discard_exchanged(share *mine, exchange *of, unsigned step) {
  for (unsigned i = 0; i < EXCHANGED; i += step) {
    discard(mine, atomic_exchange(&of->exchanged[i], NULL));
  }
}

void run_mstress(share *mine) {
  exchange *with = mine->shared;
  worker next = {mine, random_from(mine->seed, mine->index), 0};
  /* All threads have as much to do, and so as many rounds. */
  for (uint64_t left = mine->operations; left > 0; left -= next.blocks) {
    next.blocks = left < ROUND ? left : ROUND;
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, &next) != 0) fail("no thread could be started");
    pthread_join(thread, NULL);
    pthread_barrier_wait(&with->round);
    if (mine->index == 0) discard_exchanged(mine, with, left == next.blocks ? 1 : 2);
    pthread_barrier_wait(&with->round);
  }
}

void *make_mstress(unsigned threads) {
  exchange *made = calloc(1, sizeof *made);
  if (made == NULL || pthread_barrier_init(&made->round, NULL, threads) != 0) {
    fail("there is no memory for what the threads share");
  }
  return made;
}

void free_mstress(void *shared) {
  exchange *of = shared;
  pthread_barrier_destroy(&of->round);
  free(of);
}
