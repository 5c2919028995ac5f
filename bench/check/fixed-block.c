/*
 * An allocator by jemalloc's names that hands out one block again and again: below it, instructions
 * are the shim's own, and a loss of some of them is not hidden by what an allocator takes.
 */
#include <stddef.h>

enum { BYTES = 1 << 20, ALIGNMENT = 4096 };

static _Alignas(ALIGNMENT) char block[BYTES];

void *malloc(size_t size) { return size <= BYTES ? block : NULL; }
void *calloc(size_t count, size_t size) { return count * size <= BYTES ? block : NULL; }
void *realloc(void *from, size_t size) { return size <= BYTES ? from : NULL; }
void free(void *given) { (void)given; }
void *aligned_alloc(size_t alignment, size_t size) {
  return alignment <= ALIGNMENT && size <= BYTES ? block : NULL;
}
size_t malloc_usable_size(void *given) { return given == NULL ? 0 : BYTES; }
void *mallocx(size_t size, int flags) {
  (void)flags;
  return malloc(size);
}
void *rallocx(void *from, size_t size, int flags) {
  (void)flags;
  return realloc(from, size);
}
void dallocx(void *given, int flags) {
  (void)flags;
  free(given);
}
