/*
 * What begins when the program has made a thread of its own, and not before: offheap's agent, see
 * agent/agent.h, and where that does not give memory back at rest, jemalloc's background thread, which
 * does so more slowly.
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

#include "agent/agent.h"

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

/*
 * How executables of JavaScript runtimes are called, before a version or a system's name. bunx is Bun;
 * npm's package has it as a file of its own, "bunx.exe".
 */
static const char *const RUNTIMES[] = {"node", "nodejs", "deno", "bun", "bunx"};

static mallctl_fn control;
/* The process that is to have a thread of these and has made none yet; else 0. */
static pid_t waiting;

int is_runtime(void) {
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

/* Finds jemalloc's switch, where this process is to have its thread. */
static void prepare_background(void) {
    if (getenv(BACKGROUND) == NULL) return;
    if (meant_for_this_process(BACKGROUND) == NULL && !is_runtime()) return;
    *(void **)&control = dlsym(RTLD_DEFAULT, JEMALLOC_PREFIX "mallctl");
    _Bool enabled = 0;
    size_t size = sizeof enabled;
    /* A user's own background_thread:true has started it already. */
    if (control != NULL && control("background_thread", &enabled, &size, NULL, 0) == 0 && !enabled) return;
    control = NULL;
}

void prepare_threads(void) {
    prepare_background();
    int waits = prepare_agent();
    if (waits || control != NULL) __atomic_store_n(&waiting, getpid(), __ATOMIC_RELEASE);
}

/* The first thread of the program's own: a process that was forked since does not wait. */
static void thread_was_made(create_thread_fn create) {
    pid_t process = __atomic_exchange_n(&waiting, 0, __ATOMIC_ACQ_REL);
    if (process == 0 || process != getpid()) return;
    if (start_agent(create) || control == NULL) return;
    int before = errno;
    _Bool enabled = 1;
    /* Without it memory is given back when the program next allocates: nothing to fail for. */
    (void)control("background_thread", NULL, NULL, &enabled, sizeof enabled);
    errno = before;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument) {
    static create_thread_fn known;
    create_thread_fn create = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (create == NULL) {
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
        if (create == NULL) return ENOSYS;
        __atomic_store_n(&known, create, __ATOMIC_RELAXED);
    }
    int failure = create(thread, attributes, start, argument);
    if (failure == 0 && __atomic_load_n(&waiting, __ATOMIC_RELAXED) != 0) thread_was_made(create);
    return failure;
}

#else

void prepare_threads(void) {}

#endif
