/*
 * Memory that is freed by threads that never allocate (microsoft/mimalloc#1364): each thread keeps as much
 * in use all the time and replaces blocks of it, and hands those that it is done with to a second thread,
 * which only frees. What is in use is bounded, so the peak and what stays resident after everything was
 * freed show what the allocator does not get back.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "blocks.h"
#include "random.h"

enum { HELD = 16384, QUEUE = 1024, MIN_LOG2 = 8, MAX_LOG2 = 10 };

typedef struct {
  _Alignas(64) _Atomic uint64_t written;
  _Alignas(64) _Atomic uint64_t read;
  block slots[QUEUE];
  /* How many the other thread has to free. */
  uint64_t count;
  uint64_t checksum;
} queue;

static void *release_all(void *given) {
  queue *from = given;
  for (uint64_t turn = 0; turn < from->count; turn++) {
    while (atomic_load_explicit(&from->written, memory_order_acquire) == turn) sched_yield();
    block got = from->slots[turn % QUEUE];
    atomic_store_explicit(&from->read, turn + 1, memory_order_release);
    from->checksum += got.bytes[0] + got.bytes[got.size - 1];
    free(got.bytes);
  }
  return NULL;
}

static void hand_over(queue *to, block done) {
  uint64_t turn = atomic_load_explicit(&to->written, memory_order_relaxed);
  while (turn - atomic_load_explicit(&to->read, memory_order_acquire) == QUEUE) sched_yield();
  to->slots[turn % QUEUE] = done;
  atomic_store_explicit(&to->written, turn + 1, memory_order_release);
}

void run_foreign_free(share *mine) {
  random_source source = random_from(mine->seed, mine->index);
  queue *to = aligned_alloc(_Alignof(queue), sizeof *to);
  if (to == NULL) fail("there is no memory for the queue");
  atomic_init(&to->written, 0);
  atomic_init(&to->read, 0);
  to->count = mine->operations;
  to->checksum = 0;
  pthread_t other;
  if (pthread_create(&other, NULL, release_all, to) != 0) fail("no thread could be started");

  block *held = make_blocks(HELD);
  for (uint64_t turn = 0; turn < mine->operations; turn++) {
    block *at = &held[random_below(&source, HELD)];
    if (at->bytes != NULL) hand_over(to, *at);
    *at = take(mine, random_size(&source, MIN_LOG2, MAX_LOG2), turn);
  }
  for (unsigned i = 0; i < HELD; i++) {
    if (held[i].bytes != NULL) hand_over(to, held[i]);
  }
  free(held);
  pthread_join(other, NULL);
  mine->checksum += to->checksum;
  free(to);
}
