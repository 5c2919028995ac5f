/*
 * What Debian's libstdc++.a and libgcc_eh.a take from glibc and musl lacks, so that a libstdc++ for
 * musl can be linked from them. Enough for a program that throws, catches and uses locales of "C".
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

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

int __pthread_key_create(unsigned *key, void (*destroy)(void *)) {
  extern int pthread_key_create(unsigned *, void (*)(void *));
  return pthread_key_create(key, destroy);
}

#if defined(__aarch64__)
unsigned long __getauxval(unsigned long type) {
  extern unsigned long getauxval(unsigned long);
  return getauxval(type);
}
#endif
