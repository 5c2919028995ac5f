/*
 * driver <shim> <kind> <allocator's library> <function> <count>
 *
 * Calls one of the shim's functions so many times, for valgrind to count the instructions: with two
 * counts the difference is the calls' alone. It is a program in C, so that nothing else is counted.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_BYTES = 512, BATCH = 64 };
enum { BLOCK = 65536, SMALL = 64, ALIGNMENT = 16 };

static void *shim;

static void *need(const char *name) {
  void *symbol = dlsym(shim, name);
  if (symbol != NULL) return symbol;
  fprintf(stderr, "driver: %s\n", dlerror());
  exit(1);
}

static void pairs(double source, long count) {
  double (*take)(double, double) = (double (*)(double, double))need("offheap_malloc");
  void (*give)(double, double) = (void (*)(double, double))need("offheap_free");
  for (long i = 0; i < count; i++) give(source, take(source, SMALL));
}

static void blocks(double source, long count) {
  double (*take)(double, double, double, double) =
      (double (*)(double, double, double, double))need("offheap_allocate");
  void (*give)(double, double) = (void (*)(double, double))need("offheap_release");
  for (long i = 0; i < count; i++) give(source, take(source, BLOCK, ALIGNMENT, 0));
}

/* A magazine's refill and drain, a batch at a time: what a cached pair costs, shared out. */
static void batches(double source, long count) {
  double (*refill)(double, double, double, double) =
      (double (*)(double, double, double, double))need("offheap_refill");
  void (*drain)(double, double, double, double) =
      (void (*)(double, double, double, double))need("offheap_drain");
  double (*take)(double, double) = (double (*)(double, double))need("offheap_malloc");
  double slots = take(source, BATCH * sizeof(double));
  for (long i = 0; i < count; i++) {
    double taken = refill(source, slots, BATCH, SMALL);
    drain(source, slots, taken, taken);
  }
}

static void tickets(double source, long count) {
  double (*put)(double, double, double, double, double, double, double) =
      (double (*)(double, double, double, double, double, double, double))need("offheap_ticket_put");
  int (*claim)(double, double, double, double, double, double *) =
      (int (*)(double, double, double, double, double, double *))need("offheap_ticket_take");
  double (*take)(double, double) = (double (*)(double, double))need("offheap_malloc");
  double block = take(source, SMALL);
  double out[4];
  for (long i = 0; i < count; i++) {
    double ticket = put(source, i, block, SMALL, ALIGNMENT, 0, 0);
    if (claim(source, ticket, i, SMALL, 1, out) != 0) abort();
  }
}

static const struct {
  const char *name;
  void (*run)(double source, long count);
} FUNCTIONS[] = {{"pair", pairs}, {"block", blocks}, {"batch", batches}, {"ticket", tickets}};

int main(int count, char **words) {
  if (count != 6) {
    fputs("usage: driver <shim> <kind> <allocator> <function> <count>\n", stderr);
    return 2;
  }
  shim = dlopen(words[1], RTLD_NOW | RTLD_GLOBAL);
  if (shim == NULL) {
    fprintf(stderr, "driver: %s\n", dlerror());
    return 1;
  }
  double (*bind)(const char *, int, char *, double) =
      (double (*)(const char *, int, char *, double))need("offheap_bind");
  char error[ERROR_BYTES] = "";
  double source = bind(words[3], atoi(words[2]), error, ERROR_BYTES);
  if (source == 0) {
    fprintf(stderr, "driver: %s\n", error);
    return 1;
  }
  for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++) {
    if (strcmp(FUNCTIONS[i].name, words[4]) != 0) continue;
    FUNCTIONS[i].run(source, atol(words[5]));
    return 0;
  }
  fprintf(stderr, "driver: there is no function %s\n", words[4]);
  return 2;
}
