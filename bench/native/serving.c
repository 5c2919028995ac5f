#define _GNU_SOURCE
#include "serving.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_BYTES = 1 << 20 };

/* The function of that name, if it is in the same object as malloc. */
static void *in_object(const Dl_info *object, const char *name) {
  Dl_info info;
  void *symbol = dlsym(RTLD_DEFAULT, name);
  if (symbol == NULL || dladdr(symbol, &info) == 0) return NULL;
  return info.dli_fbase == object->dli_fbase ? symbol : NULL;
}

/* Keeps the compiler from leaving out a pair of malloc and free whose block nobody uses. */
static void *volatile kept;

typedef int mallctl_function(const char *, void *, size_t *, void *, size_t);

static uint64_t jemalloc_allocated(mallctl_function *mallctl) {
  uint64_t value = 0;
  size_t size = sizeof value;
  return mallctl("thread.allocated", &value, &size, NULL, 0) == 0 ? value : 0;
}

static bool jemalloc_counts(void *symbol) {
  mallctl_function *mallctl = (mallctl_function *)symbol;
  uint64_t before = jemalloc_allocated(mallctl);
  kept = malloc(PROBE_BYTES);
  uint64_t after = jemalloc_allocated(mallctl);
  free(kept);
  return after - before >= PROBE_BYTES;
}

static bool mimalloc_owns(void *symbol) {
  bool (*owns)(const void *) = (bool (*)(const void *))symbol;
  static int foreign;
  kept = malloc(PROBE_BYTES / 64);
  bool own = owns(kept) && !owns(&foreign);
  free(kept);
  return own;
}

static bool tcmalloc_sizes(void *symbol) {
  size_t (*size)(void *) = (size_t(*)(void *))symbol;
  kept = malloc(PROBE_BYTES);
  bool own = size(kept) >= PROBE_BYTES;
  free(kept);
  return own;
}

static bool glibc_counts(void *symbol) {
  struct mallinfo2 (*info)(void) = (struct mallinfo2(*)(void))symbol;
  struct mallinfo2 before = info();
  kept = malloc(PROBE_BYTES);
  struct mallinfo2 after = info();
  free(kept);
  return after.uordblks + after.hblkhd - before.uordblks - before.hblkhd >= PROBE_BYTES;
}

/* Each allocator by a function that only it has, and how that one is asked about a fresh block. */
static const struct {
  const char *allocator;
  const char *mark;
  const char *asked;
  bool (*holds)(void *symbol);
} KNOWN[] = {
    {"jemalloc", "mallctl", "mallctl", jemalloc_counts},
    {"mimalloc", "mi_version", "mi_is_in_heap_region", mimalloc_owns},
    {"tcmalloc", "tc_version", "tc_malloc_size", tcmalloc_sizes},
    {"glibc", "gnu_get_libc_version", "mallinfo2", glibc_counts},
};

serving who_serves(void) {
  serving found = {"unknown", "", false};
  static Dl_info object;
  void *function = dlsym(RTLD_DEFAULT, "malloc");
  if (function == NULL || dladdr(function, &object) == 0) return found;
  found.object = object.dli_fname;
  for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
    if (in_object(&object, KNOWN[i].mark) == NULL) continue;
    found.allocator = KNOWN[i].allocator;
    void *asked = in_object(&object, KNOWN[i].asked);
    found.verified = asked != NULL && KNOWN[i].holds(asked);
    break;
  }
  return found;
}
