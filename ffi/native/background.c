/*
 * jemalloc's background thread, which gives memory back while a process is idle: switched on where
 * it is wanted, and not before the program has made a thread of its own.
 *
 * In MALLOC_CONF the option starts the thread before main, in every child. What must have one
 * thread then fails: unshare(CLONE_NEWUSER), setresuid in a program that gives up its capabilities
 * (setpriv), Chromium's zygote. A program that makes threads is not one of these. In the renderers of a
 * sandboxed Chromium the thread would hang, whenever it is started; so children get it by name only.
 *
 * Environment:
 *   OFFHEAP_BACKGROUND=PID.START:  one process, see launched.h, and JavaScript runtimes get the thread.
 *   OFFHEAP_BACKGROUND=runtimes    JavaScript runtimes do.
 *   Programs that inherit the variable and are neither get none.
 */
#define _GNU_SOURCE
#include "launched.h"

#ifdef __ELF__

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/platform.h"

#define BACKGROUND "OFFHEAP_BACKGROUND"

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);
typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* How executables of JavaScript runtimes are called, before a version or a system's name. */
static const char *const RUNTIMES[] = {"node", "nodejs", "deno", "bun"};

static mallctl_fn control;
/* The process that is to have the thread and has made none yet; else 0. */
static pid_t waiting;

static int is_runtime(void) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = '\0';
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    for (size_t i = 0; i < sizeof RUNTIMES / sizeof RUNTIMES[0]; i++) {
        size_t size = strlen(RUNTIMES[i]);
        /* "node22", "bun-linux-x64", "deno.bin", and "node (deleted)" after an update. */
        if (strncmp(name, RUNTIMES[i], size) == 0 && strchr("0123456789-. ", name[size]) != NULL) {
            return 1;
        }
    }
    return 0;
}

void prepare_background(void) {
    if (getenv(BACKGROUND) == NULL) return;
    if (meant_for_this_process(BACKGROUND) == NULL && !is_runtime()) return;
    *(void **)&control = dlsym(RTLD_DEFAULT, JEMALLOC_PREFIX "mallctl");
    if (control == NULL) return;
    _Bool enabled = 0;
    size_t size = sizeof enabled;
    /* A user's own background_thread:true has started it already. */
    if (control("background_thread", &enabled, &size, NULL, 0) != 0 || enabled) return;
    __atomic_store_n(&waiting, getpid(), __ATOMIC_RELEASE);
}

/* The first thread of the program's own: a process that was forked since does not wait. */
static void thread_was_made(void) {
    pid_t process = __atomic_exchange_n(&waiting, 0, __ATOMIC_ACQ_REL);
    if (process == 0 || process != getpid()) return;
    int before = errno;
    _Bool enabled = 1;
    /* Without it memory is given back when the program next allocates: nothing to fail for. */
    (void)control("background_thread", NULL, NULL, &enabled, sizeof enabled);
    errno = before;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument) {
    static create_fn known;
    create_fn create = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (create == NULL) {
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
        if (create == NULL) return ENOSYS;
        __atomic_store_n(&known, create, __ATOMIC_RELAXED);
    }
    int failure = create(thread, attributes, start, argument);
    if (failure == 0 && __atomic_load_n(&waiting, __ATOMIC_RELAXED) != 0) thread_was_made();
    return failure;
}

#else

void prepare_background(void) {}

#endif
