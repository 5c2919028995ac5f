/*
 * offheap's shim: what cannot be done from JavaScript.
 *
 * Preloaded beside an allocator by "offheap run", its constructor checks, before the program's main,
 * that the required allocator really serves malloc, and ends the process when it does not. What runs
 * before any constructor of a library, .preinit_array, and constructors of libraries that the linker
 * puts first, have run by then. Loaded by a runtime, it replaces the runtime by a program, and reads glibc's counters.
 * Windows has neither a preload nor execve: there it only serves memory (memory.c).
 *
 * Environment that the constructor reads; PID.START names one process, and may be PID or *: see
 * launched.h:
 *   OFFHEAP_REQUIRE=PID.START:ALLOCATOR:PATH  in this process, ALLOCATOR must serve malloc, by the file
 *                                  at PATH; PATH may hold colons, and may be missing. Processes
 *                                  that it starts inherit the variable and are others.
 *   OFFHEAP_RESTORE=PID.START:COUNT\nNAME=VALUE\nNAME\n...  in this process, the COUNT-th program that
 *                                  it executes sets or unsets these variables for its children
 *                                  ("offheap run --no-inherit"; env in a script's first line is a
 *                                  program before the last).
 *   OFFHEAP_BACKGROUND             see background.c.
 *   OFFHEAP_AGENT                  see agent/agent.h.
 *   OFFHEAP_HEAP_PROFILING         see profile/profiling.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/platform.h"

#define ABI_VERSION 7

EXPORT int offheap_abi_version(void) {
    return ABI_VERSION;
}

#ifdef _WIN32

EXPORT int offheap_glibc_in_use(uint64_t *bytes) {
    (void)bytes;
    return ENOSYS;
}

EXPORT int offheap_exec(const char *path, char *const argv[], char *const envp[],
                        const double *checked) {
    (void)path, (void)argv, (void)envp, (void)checked;
    return ENOSYS;
}

EXPORT int offheap_is_serving(const char *allocator, char *why, double length) {
    (void)allocator, (void)why, (void)length;
    return -1;
}

#else

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execute.h"
#include "launched.h"
#include "numbers.h"
#include "profile/profiling.h"
#include "serving/serving.h"

#define REQUIRE "OFFHEAP_REQUIRE"
#define RESTORE "OFFHEAP_RESTORE"

/* glibc's struct mallinfo2, which its older headers do not have. */
struct mallinfo2_layout {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

static struct mallinfo2_layout (*mallinfo2_fn)(void);
static once_type mallinfo2_once = ONCE_NEW;

static void find_mallinfo2(void) {
    *(void **)&mallinfo2_fn = find_in_program("mallinfo2");
}

/* glibc's bytes in use by malloc, in all arenas and in mapped blocks. 0, or ENOSYS. */
EXPORT int offheap_glibc_in_use(uint64_t *bytes) {
    run_once(&mallinfo2_once, find_mallinfo2);
    if (mallinfo2_fn == NULL) return ENOSYS;
    struct mallinfo2_layout info = mallinfo2_fn();
    *bytes = (uint64_t)info.uordblks + info.hblkhd;
    return 0;
}

static void keep_open_over_exec(int fd) {
    int flags = fcntl(fd, F_GETFD);
    if (flags != -1 && (flags & FD_CLOEXEC)) fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

static void make_blocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags != -1 && (flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/*
 * Becomes the program: does not return but with an error number; see execute.h for `checked`.
 *
 * Runtimes ignore SIGPIPE and SIGXFSZ, and make the standard streams close-on-exec and
 * non-blocking; a program must find them as a shell would have left them. What else is put back, the
 * launcher does before.
 */
EXPORT int offheap_exec(const char *path, char *const argv[], char *const envp[],
                        const double *checked) {
    struct sigaction byDefault = {.sa_handler = SIG_DFL};
    sigemptyset(&byDefault.sa_mask);
    sigaction(SIGPIPE, &byDefault, NULL);
    sigaction(SIGXFSZ, &byDefault, NULL);

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        keep_open_over_exec(fd);
        make_blocking(fd);
    }

    return execute(path, argv, envp, checked);
}

static void say(const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(STDERR_FILENO, text, left);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text += written;
        left -= (size_t)written;
    }
}

/* Whether an allocator serves malloc here: 1, or 0 with the reason in `why`. */
EXPORT int offheap_is_serving(const char *allocator, char *why, double length) {
    struct answer answer = {why, to_length(length)};
    return is_serving(allocator, "", &answer);
}

static void refuse(const char *allocator, const char *why) {
    char server[1024], message[4096];
    describe_server(server, sizeof server);
    const char *preload = getenv(PRELOAD_VARIABLE);
    snprintf(message, sizeof message,
             "offheap: this program was to run under %s, and was ended before its main: %s.\n"
             "offheap: malloc is served by %s; " PRELOAD_VARIABLE " is \"%s\".\n",
             allocator, why, server, preload != NULL ? preload : "");
    say(message);
    _exit(REFUSED);
}

/* Ends the process unless "ALLOCATOR:PATH" serves malloc. */
static void require(const char *required) {
    char allocator[32], why[2048];
    size_t length = strcspn(required, ":");
    snprintf(allocator, sizeof allocator, "%.*s", (int)length, required);
    struct answer answer = {why, sizeof why};
    const char *path = required[length] == ':' ? required + length + 1 : "";
    if (!is_serving(allocator, path, &answer)) refuse(allocator, why);
}

/* Ends the process where it was to be profiled and cannot be. */
static void require_profiling(void) {
    char message[512];
    const char *why = prepare_profiling();
    if (why == NULL) return;
    snprintf(message, sizeof message,
             "offheap: this program was to run with heap profiling, and was ended before its main: %s.\n", why);
    say(message);
    _exit(REFUSED);
}

/* Sets or unsets the variables of the lines after the count. */
static void restore(char *lines) {
    char *rest = lines;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *equals = strchr(line, '=');
        if (equals != NULL) {
            *equals = '\0';
            set_variable(line, equals + 1);
        } else if (*line != '\0') {
            set_variable(line, NULL);
        }
    }
    set_variable(RESTORE, NULL);
    free_successors();
}

/* One program of the chain has started: restores in the last, passes the rest of the count on. */
static void count_down(const char *order) {
    const char *value = getenv(RESTORE);
    char *copy = strdup(order);
    if (copy == NULL) return;
    char *lines;
    long left = strtol(copy, &lines, 10);
    if (left <= 1) {
        restore(lines);
    } else {
        size_t size = strlen(lines) + 64;
        char *next = malloc(size);
        if (next != NULL) {
            snprintf(next, size, "%.*s%ld%s", (int)(order - value), value, left - 1, lines);
            set_variable(RESTORE, next);
            free(next);
        }
    }
    free(copy);
}

__attribute__((constructor)) static void check_at_start(void) {
    const char *required = meant_for_this_process(REQUIRE);
    if (required != NULL) {
        require(required);
        name_this_process(REQUIRE);
    }
    bind_successors(REQUIRE);
    if (required != NULL) name_as_executed();
    prepare_threads();
    require_profiling();
    const char *order = meant_for_this_process(RESTORE);
    if (order != NULL) count_down(order);
}

#endif
