/*
 * What operating systems do differently, in names of our own: posix.c and windows.c have the same
 * functions. A function that can fail returns 0 when it did not, or NULL when it did.
 */
#ifndef OFFHEAP_PLATFORM_H
#define OFFHEAP_PLATFORM_H

#include <stddef.h>

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

/* Before each function that the shim exports. */
#define EXPORT __declspec(dllexport)

typedef SRWLOCK lock_type;
#define LOCK_FREE SRWLOCK_INIT

typedef INIT_ONCE once_type;
#define ONCE_NEW INIT_ONCE_STATIC_INIT

/* Fiber-local storage is the kind whose values are given to a function when a thread ends. */
typedef DWORD thread_key_type;
#define THREAD_END(name, value) static void NTAPI name(void *value)

#else

#include <pthread.h>

#define EXPORT __attribute__((visibility("default")))

typedef pthread_mutex_t lock_type;
#define LOCK_FREE PTHREAD_MUTEX_INITIALIZER

typedef pthread_once_t once_type;
#define ONCE_NEW PTHREAD_ONCE_INIT

typedef pthread_key_t thread_key_type;
#define THREAD_END(name, value) static void name(void *value)

#endif

/*
 * The prefix of all of jemalloc's names. macOS and Windows keep the C library's names to
 * themselves: a jemalloc for them has a prefix, Homebrew's as well.
 */
#if defined(__APPLE__) || defined(_WIN32)
#define JEMALLOC_PREFIX "je_"
#else
#define JEMALLOC_PREFIX ""
#endif

void lock(lock_type *it);
void unlock(lock_type *it);

void run_once(once_type *once, void (*work)(void));

/* A value for each thread. At a thread's end a function, declared by THREAD_END, gets its value. */
#ifdef _WIN32
int make_thread_key(thread_key_type *key, PFLS_CALLBACK_FUNCTION thread_ends);
#else
int make_thread_key(thread_key_type *key, void (*thread_ends)(void *));
#endif
void *thread_value(thread_key_type key);
int set_thread_value(thread_key_type key, void *value);

/* Whether other threads may be gone in the middle of their work. */
int process_is_ending(void);

/* The object file at a path, loaded for good; NULL with the reason in `error`. */
void *open_object(const char *path, char *error, size_t length);
void *find_in_object(void *object, const char *name);
/* A function that the program itself, or what it was linked with, exports. */
void *find_in_program(const char *name);

#endif
