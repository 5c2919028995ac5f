/*
 * churn <pattern> <threads> <operations> <seed> [idle seconds]
 *
 * A program that does nothing but allocate, in several threads, and prints what came of it as one line
 * of JSON: the format of bench/suite/format.ts. Operations are shared out between the threads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "patterns.h"
#include "serving.h"

enum { MAX_THREADS = 64, MAX_IDLE_SECONDS = 600, USAGE = 2 };

static double seconds_of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

static double clock_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A number of /proc/self/status in KiB, such as VmRSS; 0 when it is not there. */
static unsigned long long status_kib(const char *name) {
  FILE *status = fopen("/proc/self/status", "r");
  if (status == NULL) return 0;
  char line[256];
  unsigned long long value = 0;
  size_t length = strlen(name);
  while (fgets(line, sizeof line, status) != NULL) {
    if (strncmp(line, name, length) == 0 && line[length] == ':') value = strtoull(line + length + 1, NULL, 10);
  }
  fclose(status);
  return value;
}

static void usage(const char *problem) {
  fprintf(stderr, "churn: %s\nusage: churn <pattern> <threads> <operations> <seed> [idle seconds]\npatterns:",
          problem);
  for (unsigned i = 0; i < PATTERN_COUNT; i++) fprintf(stderr, " %s", PATTERNS[i].name);
  fputs("\n", stderr);
  exit(USAGE);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most, const char *problem) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value < least || value > most) usage(problem);
  return value;
}

static const pattern *find_pattern(const char *name) {
  for (unsigned i = 0; i < PATTERN_COUNT; i++) {
    if (strcmp(PATTERNS[i].name, name) == 0) return &PATTERNS[i];
  }
  usage("there is no such pattern");
  return NULL;
}

static const pattern *chosen;

/* Met by all threads and the first: when the work is done, and when the threads may end. In between the
 * program idles with its threads, as a server does. */
static pthread_barrier_t worked, idled;

static void *run_share(void *given) {
  chosen->run(given);
  pthread_barrier_wait(&worked);
  pthread_barrier_wait(&idled);
  return NULL;
}

static void start_all(share *shares, unsigned threads, pthread_t *running) {
  pthread_barrier_init(&worked, NULL, threads + 1);
  pthread_barrier_init(&idled, NULL, threads + 1);
  for (unsigned i = 0; i < threads; i++) {
    if (pthread_create(&running[i], NULL, run_share, &shares[i]) == 0) continue;
    fputs("churn: no thread could be started\n", stderr);
    exit(1);
  }
}

static void metric(const char *name, double value, const char *unit, const char *better) {
  printf("\"%s\":{\"value\":%.9g,\"unit\":\"%s\",\"better\":\"%s\"},", name, value, unit, better);
}

/* A path as a JSON string. */
static void print_text(const char *text) {
  putchar('"');
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    if ((unsigned char)*text < ' ') printf("\\u%04x", *text);
    else putchar(*text);
  }
  putchar('"');
}

int main(int count, char **words) {
  if (count < 5 || count > 6) usage("four or five arguments are needed");
  chosen = find_pattern(words[1]);
  unsigned threads = (unsigned)number(words[2], 1, MAX_THREADS, "threads must be 1 to 64");
  uint64_t operations = number(words[3], threads, UINT64_MAX / 2, "operations must be one a thread at least");
  uint64_t seed = number(words[4], 0, UINT64_MAX / 2, "the seed must be a whole number");
  unsigned idle = count == 6 ? (unsigned)number(words[5], 0, MAX_IDLE_SECONDS, "idle must be 0 to 600") : 0;

  share *shares = calloc(threads, sizeof *shares);
  if (shares == NULL) return 1;
  void *shared = chosen->prepare == NULL ? NULL : chosen->prepare(threads);
  for (unsigned i = 0; i < threads; i++) {
    shares[i].index = i;
    shares[i].threads = threads;
    shares[i].operations = operations / threads;
    shares[i].seed = seed;
    shares[i].shared = shared;
  }
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  double start = clock_seconds();
  pthread_t running[MAX_THREADS];
  start_all(shares, threads, running);
  pthread_barrier_wait(&worked);
  double wall = clock_seconds() - start;
  getrusage(RUSAGE_SELF, &after);
  sleep(idle);
  unsigned long long idle_kib = status_kib("VmRSS");
  pthread_barrier_wait(&idled);
  for (unsigned i = 0; i < threads; i++) pthread_join(running[i], NULL);
  if (chosen->finish != NULL) chosen->finish(shared);

  uint64_t done = 0, bytes = 0, checksum = 0;
  static histogram allocation, release;
  for (unsigned i = 0; i < threads; i++) {
    done += shares[i].operations;
    bytes += shares[i].bytes;
    checksum += shares[i].checksum;
    histogram_merge(&allocation, &shares[i].allocation);
    histogram_merge(&release, &shares[i].release);
  }
  free(shares);

  serving served = who_serves();
  printf("{\"work\":\"%llx-%llx-%llx\",\"servedBy\":{\"allocator\":\"%s\",\"verified\":%s,\"object\":",
         (unsigned long long)done, (unsigned long long)bytes, (unsigned long long)checksum, served.allocator,
         served.verified ? "true" : "false");
  print_text(served.object);
  fputs("},\"metrics\":{", stdout);
  metric("throughput", (double)done / wall, "1/s", "higher");
  metric("wall", wall, "s", "lower");
  metric("cpu", seconds_of(after.ru_utime) + seconds_of(after.ru_stime) - seconds_of(before.ru_utime) -
                    seconds_of(before.ru_stime), "s", "lower");
  metric("minorFaults", (double)(after.ru_minflt - before.ru_minflt), "1", "lower");
  metric("majorFaults", (double)(after.ru_majflt - before.ru_majflt), "1", "lower");
  if (idle > 0) metric("idleResident", (double)idle_kib * 1024, "B", "lower");
  /* The kernel updates VmHWM from counters of each processor that are late, and adds them up for
     VmRSS only when asked: the one may be less than the other was while the threads idled. */
  unsigned long long peak_kib = status_kib("VmHWM");
  if (peak_kib < idle_kib) peak_kib = idle_kib;
  printf("\"peakResident\":{\"value\":%.9g,\"unit\":\"B\",\"better\":\"lower\"}}", (double)peak_kib * 1024);
  if (allocation.count > 0) {
    fputs(",\"latencies\":{", stdout);
    histogram_print(stdout, "allocate", &allocation);
    if (release.count > 0) {
      putchar(',');
      histogram_print(stdout, "free", &release);
    }
    putchar('}');
  }
  puts("}");
  return 0;
}
