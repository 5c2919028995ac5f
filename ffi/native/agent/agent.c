/*
 * The agent's thread, and when it starts. See agent.h.
 */
#define _GNU_SOURCE
#include "agent.h"

#include "../platform/platform.h"

#ifdef __linux__

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../launched.h"
#include "../numbers.h"
#include "parts.h"

#define AGENT "OFFHEAP_AGENT"
#define CLOSE_RANGE_UNSHARE_FLAG 2U

/* The stack, of which some pages are touched; a program's own thread-local data may need more. */
static const size_t STACKS[] = {128 << 10, 1 << 20};

struct agent_state agent_state = {.idle_ms = 1000};

static const char *stopped;
/* Held while the agent is in the allocator; fork() waits for it. */
static pthread_mutex_t in_allocator = PTHREAD_MUTEX_INITIALIZER;
/* The process that is to have an agent and has none yet, and the one that was given one; else 0. */
static pid_t waiting, started;
static int ending;

const char *why_stopped(void) {
    return __atomic_load_n(&stopped, __ATOMIC_ACQUIRE);
}

void stop_for(const char *why) {
    __atomic_store_n(&stopped, why, __ATOMIC_RELEASE);
}

void hold_fork(void) {
    pthread_mutex_lock(&in_allocator);
}

void let_fork(void) {
    pthread_mutex_unlock(&in_allocator);
}

int is_ending(void) {
    return ending;
}

/* ---- The thread ---- */

/*
 * The thread takes a table of descriptors of its own where the kernel lets it: the program then
 * neither sees, inherits nor closes what is opened here.
 */
static void take_own_descriptors(void) {
#ifdef SYS_close_range
    (void)syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_UNSHARE_FLAG);
#endif
}

static int milliseconds_until(uint64_t due) {
    uint64_t now = now_ns();
    return now < due ? (int)((due - now) / MS) + 1 : 0;
}

static void *watch(void *unused) {
    (void)unused;
    take_own_descriptors();
    find_limits();
    open_socket();
    open_pressure();
    begin_looking();
    for (;;) {
        struct pollfd ready[2] = {{.fd = listening_socket(), .events = POLLIN}, {.fd = -1}};
        ready[1].fd = pressure_descriptor(&ready[1].events);
        if (poll(ready, 2, milliseconds_until(next_look())) > 0) {
            if (ready[0].revents != 0) answer_one();
            if (ready[1].revents != 0) look_at_shortness(take_pressure(ready[1].revents));
        }
        if (now_ns() >= next_look()) look();
    }
    return NULL;
}

/* ---- The start ---- */

/* A child has this thread alone, and no agent. */
static void in_child(void) {
    let_fork();
    __atomic_store_n(&started, 0, __ATOMIC_RELEASE);
    forget_socket();
    stop_for("a child made by fork has no agent");
}

/* The allocator may go away with the program: no purge is in it from now on. */
static void end_agent(void) {
    if (__atomic_load_n(&started, __ATOMIC_ACQUIRE) != getpid()) return;
    hold_fork();
    ending = 1;
    let_fork();
    remove_dumps();
    remove_socket();
}

static void read_settings(const char *text) {
    for (; text != NULL; text = strchr(text, ',')) {
        if (*text == ',') text++;
        char *end;
        if (strncmp(text, "idle=", 5) == 0) agent_state.idle_ms = strtol(text + 5, NULL, 10);
        if (strncmp(text, "limit=", 6) != 0) continue;
        uint64_t value = strtoull(text + 6, &end, 10);
        if (*end == '%') agent_state.limit_percent = (unsigned)value;
        else agent_state.limit = value;
    }
}

/* A variable's value, kept: a program that sets its title writes over its environment. */
static const char *copy_of(const char *variable) {
    const char *value = getenv(variable);
    return value != NULL ? strdup(value) : NULL;
}

int prepare_agent(void) {
    const char *value = getenv(AGENT);
    if (value == NULL) return 0;
    if (meant_for_this_process(AGENT) != NULL) name_this_process(AGENT);
    else if (!is_runtime()) return 0;
    const char *settings = strchr(getenv(AGENT), ':');
    read_settings(settings != NULL ? settings + 1 : NULL);
    agent_state.runtime_directory = copy_of("XDG_RUNTIME_DIR");
    agent_state.pressure_watch = copy_of("MEMORY_PRESSURE_WATCH");
    agent_state.pressure_write = copy_of("MEMORY_PRESSURE_WRITE");
    __atomic_store_n(&waiting, getpid(), __ATOMIC_RELEASE);
    return 1;
}

static int make_thread(create_thread_fn create, size_t stack) {
    pthread_attr_t attributes;
    pthread_t thread;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0) return failure;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    failure = pthread_attr_setstacksize(&attributes, stack);
    if (failure == 0) failure = create(&thread, &attributes, watch, NULL);
    pthread_attr_destroy(&attributes);
    if (failure == 0) pthread_setname_np(thread, "offheap");
    return failure;
}

/* The thread has all signals blocked from its first instruction on, as it inherits the mask. */
static int make_quiet_thread(create_thread_fn create) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failure = make_thread(create, STACKS[0]);
    for (size_t i = 1; failure == EINVAL && i < COUNT_OF(STACKS); i++) {
        failure = make_thread(create, STACKS[i]);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failure;
}

int start_agent(create_thread_fn create) {
    pid_t process = __atomic_exchange_n(&waiting, 0, __ATOMIC_ACQ_REL);
    /* A process that was forked since is not the one that waits. */
    if (process == 0 || process != getpid()) return 0;
    int before = errno;
    find_giver();
    stop_for(why_not_given());
    __atomic_store_n(&started, process, __ATOMIC_RELEASE);
    int failure = pthread_atfork(hold_fork, let_fork, in_child);
    if (failure == 0 && atexit(end_agent) != 0) failure = ENOMEM;
    if (failure == 0) failure = make_quiet_thread(create);
    if (failure != 0) {
        __atomic_store_n(&started, 0, __ATOMIC_RELEASE);
        stop_for("its thread could not be made");
    }
    errno = before;
    return failure == 0 && agent_state.idle_ms != 0 && why_not_given() == NULL;
}

/*
 * The agent of this process: 1 when it gives memory back at rest, 2 when it runs and does not, 0 when
 * it was asked for and does not run, and -1 when this process was not to have one. `why` has the
 * reason; of 2 it has none where memory is given back near a limit only, as was asked for.
 */
EXPORT int offheap_agent(char *why, double length) {
    const char *reason = why_stopped();
    size_t size = to_length(length);
    int runs = __atomic_load_n(&started, __ATOMIC_ACQUIRE) == getpid();
    if (!runs && reason == NULL) {
        if (__atomic_load_n(&waiting, __ATOMIC_RELAXED) != getpid()) return -1;
        reason = "this process has made no thread yet";
    }
    if (size > 0) snprintf(why, size, "%s", reason != NULL ? reason : "");
    if (!runs) return 0;
    return reason == NULL && agent_state.idle_ms != 0 ? 1 : 2;
}

#else

#ifndef _WIN32

int prepare_agent(void) {
    return 0;
}

int start_agent(create_thread_fn create) {
    (void)create;
    return 0;
}

#endif

EXPORT int offheap_agent(char *why, double length) {
    (void)why, (void)length;
    return -1;
}

#endif
