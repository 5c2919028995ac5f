/*
 * What the agent costs a program, for bench/agent-cost.bench.ts: prints how long its first thread took
 * to make, what is resident after a second, and how much of a processor it took, asleep, for the
 * seconds of its argument; in nanoseconds, KiB and parts of a million.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void *nothing(void *argument) { return argument; }

int main(int argc, char **argv) {
  pthread_t thread;
  unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
  double start = read_clock(CLOCK_MONOTONIC);
  if (pthread_create(&thread, NULL, nothing, NULL) != 0) return 1;
  double made = read_clock(CLOCK_MONOTONIC) - start;
  pthread_join(thread, NULL);
  sleep(3); /* past the first purge */
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) return 1;
  fclose(file);
  start = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  sleep(seconds);
  double spent = read_clock(CLOCK_PROCESS_CPUTIME_ID) - start;
  printf("%.0f %lu %.1f\n", made, pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024,
         spent / 1e3 / seconds);
  return 0;
}
