/*
 * Linux with glibc and musl, macOS, and their relatives.
 */
#ifndef OFFHEAP_PLATFORM_POSIX_H
#define OFFHEAP_PLATFORM_POSIX_H

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

/* macOS keeps the C library's names to itself: a jemalloc for it has a prefix, Homebrew's as well. */
#ifdef __APPLE__
#define JEMALLOC_PREFIX "je_"
#else
#define JEMALLOC_PREFIX ""
#endif

typedef pthread_mutex_t lock_type;
#define LOCK_FREE PTHREAD_MUTEX_INITIALIZER

static inline void lock(lock_type *it) {
    pthread_mutex_lock(it);
}

static inline void unlock(lock_type *it) {
    pthread_mutex_unlock(it);
}

typedef pthread_once_t once_type;
#define ONCE_NEW PTHREAD_ONCE_INIT

static inline void run_once(once_type *once, void (*work)(void)) {
    pthread_once(once, work);
}

typedef pthread_key_t thread_key_type;
#define THREAD_END(name, value) static void name(void *value)

static inline int make_thread_key(thread_key_type *key, void (*thread_ends)(void *)) {
    return pthread_key_create(key, thread_ends);
}

static inline void *thread_value(thread_key_type key) {
    return pthread_getspecific(key);
}

static inline int set_thread_value(thread_key_type key, void *value) {
    return pthread_setspecific(key, value);
}

/* A process that ends by exit() runs no thread's end. */
static inline int process_is_ending(void) {
    return 0;
}

/* The object file at a path, loaded for good; NULL with the reason in `error`. */
static inline void *open_object(const char *path, char *error, size_t length) {
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL && length > 0) snprintf(error, length, "%s", dlerror());
    return object;
}

static inline void *find_in_object(void *object, const char *name) {
    return dlsym(object, name);
}

/* A function that the program itself, or what it was linked with, exports. */
static inline void *find_in_program(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}

static inline double monotonic_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

#endif
