/*
 * Linux with glibc and musl, macOS, and their relatives.
 */
#define _GNU_SOURCE
#include "platform.h"

#ifndef _WIN32

#include <dlfcn.h>
#include <stdio.h>

void lock(lock_type *it) {
    pthread_mutex_lock(it);
}

void unlock(lock_type *it) {
    pthread_mutex_unlock(it);
}

void run_once(once_type *once, void (*work)(void)) {
    pthread_once(once, work);
}

int make_thread_key(thread_key_type *key, void (*thread_ends)(void *)) {
    return pthread_key_create(key, thread_ends);
}

void *thread_value(thread_key_type key) {
    return pthread_getspecific(key);
}

int set_thread_value(thread_key_type key, void *value) {
    return pthread_setspecific(key, value);
}

/* A process that ends by exit() runs no thread's end. */
int process_is_ending(void) {
    return 0;
}

void *open_object(const char *path, char *error, size_t length) {
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL && length > 0) snprintf(error, length, "%s", dlerror());
    return object;
}

void *find_in_object(void *object, const char *name) {
    return dlsym(object, name);
}

void *find_in_program(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}

#endif
