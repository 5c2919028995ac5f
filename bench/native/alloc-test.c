/*
 * The pattern of alloc-test (OLogN Technologies, 2018; part of mimalloc-bench): a large table, half full
 * at first, and a turn that looks at a random place: a block there is read and freed, an empty place gets
 * one, and each of its bytes is written. Places are drawn by the rule of 80 to 20, six times over; of two
 * neighbouring powers of two the smaller size is twice as likely, up to 1 KiB.
 */
#include <string.h>

#include "blocks.h"
#include "random.h"

enum {
  PLACES = 1 << 18, /* of all threads together */
  LEVELS = 6,
  MIN_LOG2 = 3,
  SIZES_LOG2 = 7, /* up to 1 KiB */
};

static size_t next_size(random_source *source) {
  uint32_t drawn = random_below(source, 1u << (SIZES_LOG2 - 1)) + 1;
  size_t base = (size_t)1 << (MIN_LOG2 + (unsigned)__builtin_ctz(drawn));
  return base + random_below(source, (uint32_t)base);
}

/* Four of five draws fall into the first fifth, and of these four of five into the first of that. */
static uint32_t next_place(random_source *source, uint32_t places) {
  uint32_t span = places;
  for (unsigned level = 0; level < LEVELS && span >= 5; level++) {
    uint32_t fifth = span / 5;
    if (random_below(source, 5) == 0) return fifth + random_below(source, span - fifth);
    span = fifth;
  }
  return random_below(source, span);
}

static void fill(share *mine, block *at, size_t size) {
  *at = (block){malloc(size), size};
  if (at->bytes == NULL) fail("malloc gave no memory");
  memset(at->bytes, (int)(size & 0xff), size);
  mine->bytes += size;
}

static void drain(share *mine, block *at) {
  uint64_t sum = at->bytes[at->size - 1], word;
  for (size_t offset = 0; offset + sizeof word <= at->size; offset += sizeof word) {
    memcpy(&word, at->bytes + offset, sizeof word);
    sum += word;
  }
  mine->checksum += sum;
  free(at->bytes);
  at->bytes = NULL;
}

void run_alloc_test(share *mine) {
  random_source source = random_from(mine->seed, mine->index);
  uint32_t places = PLACES / mine->threads;
  block *held = make_blocks(places);
  for (uint32_t i = 0; i < places; i++) {
    if (random_below(&source, 2) == 0) fill(mine, &held[i], next_size(&source));
  }
  for (uint64_t turn = 0; turn < mine->operations; turn++) {
    block *at = &held[next_place(&source, places)];
    if (at->bytes != NULL) drain(mine, at);
    else fill(mine, at, next_size(&source));
  }
  for (uint32_t i = 0; i < places; i++) {
    if (held[i].bytes != NULL) drain(mine, &held[i]);
  }
  free(held);
}
