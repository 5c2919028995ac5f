/*
 * jemalloc's background thread, which gives memory back while a process is idle: switched on where
 * it is wanted, and not before the program has made a thread of its own.
 *
 * In MALLOC_CONF the option starts the thread before main, in every child. What must have one
 * thread then fails: unshare(CLONE_NEWUSER), setresuid in a program that gives up its capabilities
 * (setpriv), Chromium's zygote. A program that makes threads is none of these. In the renderers of a
 * sandboxed Chromium the thread would hang, whenever it is started; so children get it by name only.
 *
 * Environment:
 *   OFFHEAP_BACKGROUND=PID:START  the process PID, which the kernel started at START (in
 *                                 /proc/PID/stat), and JavaScript runtimes get the thread. The number
 *                                 alone would also be a child's in a namespace of processes.
 *   OFFHEAP_BACKGROUND=runtimes   JavaScript runtimes do.
 *   Programs that inherit the variable and are neither get no thread.
 */
#define _GNU_SOURCE
#include "background.h"

#ifdef __ELF__

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform.h"

#define BACKGROUND "OFFHEAP_BACKGROUND"

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);
typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* How executables of JavaScript runtimes are called, before a version or a system's name. */
static const char *const RUNTIMES[] = {"node", "nodejs", "deno", "bun"};

static mallctl_fn control;
/* The process that is to have the thread and has made none yet; 0 when there is none. */
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

/* When the kernel started this process, in its own words; empty where it does not tell. */
static void read_start(char *start, size_t size) {
    char text[1024];
    start[0] = '\0';
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return;
    text[length] = '\0';
    /* The name is in parentheses and may hold any character. Behind it are the fields from the third. */
    char *field = strrchr(text, ')');
    for (int number = 2; field != NULL && number < 22; number++) field = strchr(field + 1, ' ');
    if (field != NULL) snprintf(start, size, "%.*s", (int)strcspn(field + 1, " "), field + 1);
}

static int is_launched(const char *value) {
    char *end, start[32];
    long process = strtol(value, &end, 10);
    if (*end != ':' || process != (long)getpid()) return 0;
    read_start(start, sizeof start);
    return strcmp(end + 1, start) == 0;
}

void prepare_background(void) {
    const char *value = getenv(BACKGROUND);
    if (value == NULL || !(is_launched(value) || is_runtime())) return;
    *(void **)&control = dlsym(RTLD_DEFAULT, JEMALLOC_PREFIX "mallctl");
    if (control == NULL) return;
    _Bool enabled = 0;
    size_t size = sizeof enabled;
    /* A user's own background_thread:true has started it already. */
    if (control("background_thread", &enabled, &size, NULL, 0) != 0 || enabled) return;
    __atomic_store_n(&waiting, getpid(), __ATOMIC_RELEASE);
}

/* The first thread of the program's own: a process that was forked since is none that waits. */
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
