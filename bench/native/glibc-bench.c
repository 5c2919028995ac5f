/*
 * The pattern of glibc's own benchtests bench-malloc-thread (glibc 2.22 and later): each thread replaces
 * blocks at random places of a table of 1024, in a loop with little else in it. Sizes are from 4 bytes to
 * 32 KiB by an inverse square law, so half of them are below 8 bytes, and drawn before the loop.
 */
#include "blocks.h"
#include "random.h"

enum { PLACES = 1024, DRAWN = 8192, LEAST = 4, MOST = 32768 };

/* Of a density that falls with the square of the size. */
static uint32_t inverse_square(random_source *source) {
  double even = (double)random_below(source, UINT32_MAX) / (double)UINT32_MAX;
  return (uint32_t)(1.0 / (1.0 / LEAST - even * (1.0 / LEAST - 1.0 / MOST)));
}

void run_glibc_bench(share *mine) {
  random_source source = random_from(mine->seed, mine->index);
  uint32_t *sizes = malloc(DRAWN * sizeof *sizes);
  if (sizes == NULL) fail("there is no memory for the sizes");
  for (unsigned i = 0; i < DRAWN; i++) sizes[i] = inverse_square(&source);
  unsigned char **held = calloc(PLACES, sizeof *held);
  if (held == NULL) fail("there is no memory for the table");
  for (uint64_t turn = 0; turn < mine->operations; turn++) {
    unsigned char **at = &held[random_below(&source, PLACES)];
    uint32_t size = sizes[turn % DRAWN];
    if (*at != NULL) mine->checksum += **at;
    free(*at);
    *at = malloc(size);
    if (*at == NULL) fail("malloc gave no memory");
    **at = (unsigned char)turn;
    mine->bytes += size;
  }
  for (unsigned i = 0; i < PLACES; i++) {
    if (held[i] != NULL) mine->checksum += *held[i];
    free(held[i]);
  }
  free(held);
  free(sizes);
}
