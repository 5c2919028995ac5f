/*
 * What Debian's libstdc++.a and libgcc_eh.a take from glibc and musl lacks, so that a libstdc++ for
 * musl can be linked from them. Enough for a program that throws, catches and uses locales of "C".
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* Says whether the process never had a second thread: "no" is always right, only slower. */
char __libc_single_threaded = 0;

/* glibc's fast way to an object's unwind tables; -1: not found, take dl_iterate_phdr. */
int _dl_find_object(void *address, void *result) {
  (void)address;
  (void)result;
  return -1;
}

uint32_t arc4random(void) {
  uint32_t value = 0;
  while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value) {}
  return value;
}

int __pthread_key_create(pthread_key_t *key, void (*destroy)(void *)) {
  return pthread_key_create(key, destroy);
}

/* glibc's internal name; musl's own locales are all the same here. */
size_t __strftime_l(char *text, size_t size, const char *format, const struct tm *time, void *locale) {
  (void)locale;
  return strftime(text, size, format, time);
}

/*
 * Runs destructors of thread_local objects when their thread ends, the last made first. Those of
 * the main thread are left alone: the process that ends takes them along.
 */
struct destructor {
  struct destructor *next;
  void (*run)(void *);
  void *object;
};

static pthread_key_t destructors;
static pthread_once_t destructors_once = PTHREAD_ONCE_INIT;

static void run_destructors(void *list) {
  struct destructor *one = list;
  while (one != NULL) {
    struct destructor *next = one->next;
    one->run(one->object);
    free(one);
    one = next;
  }
}

static void make_destructors(void) { pthread_key_create(&destructors, run_destructors); }

int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *library) {
  (void)library;
  pthread_once(&destructors_once, make_destructors);
  struct destructor *one = malloc(sizeof *one);
  if (one == NULL) return -1;
  one->next = pthread_getspecific(destructors);
  one->run = run;
  one->object = object;
  return pthread_setspecific(destructors, one);
}

#if defined(__aarch64__)
unsigned long __getauxval(unsigned long type) {
  extern unsigned long getauxval(unsigned long);
  return getauxval(type);
}
#endif
