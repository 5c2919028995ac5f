/*
 * The launched process may become another program: a shell's exec, env, setpriv. What takes its place
 * without the preload, or without the requirement, or where this library cannot be read (chroot, another
 * user), would run unchecked: it is refused.
 *
 * The functions interpose the C library's, in every process that has the preload, and look at
 * the environment in the launched one alone: children run as they are asked to.
 */
#define _GNU_SOURCE
#include "launched.h"

#ifdef __ELF__

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/platform.h"

extern char **environ;

/*
 * Holds the launched process; 0 in every other, and when its successors are free. In bind_successors it
 * moves to a page that a fork clears: the number alone may be a child's in a namespace of its own.
 */
static pid_t here;
static pid_t *bound = &here;
/* By which name the preload variable knows this library. */
static const char *own_name;
static const char *required_variable;
/* PID.START, as the requirement names the process. */
static char identity[64];

typedef int (*execvpe_fn)(const char *, char *const[], char *const[]);
typedef int (*fexecve_fn)(int, char *const[], char *const[]);

static execvpe_fn next_execvpe;
static fexecve_fn next_fexecve;

/* In the child of a vfork nothing may be looked up any more. */
static void find_next(void) {
    *(void **)&next_execvpe = dlsym(RTLD_NEXT, "execvpe");
    *(void **)&next_fexecve = dlsym(RTLD_NEXT, "fexecve");
}

void bind_successors(const char *variable) {
    find_next();
    const char *required = meant_for_this_process(variable);
    /* What follows has the system's allocator in any case. */
    if (required == NULL || strcmp(required, "system") == 0) return;
    const char *value = getenv(variable);
    Dl_info self;
    if (dladdr((void *)bind_successors, &self) == 0) return;
    size_t length = strcspn(value, ":");
    if (length >= sizeof identity) return;
    memcpy(identity, value, length);
    identity[length] = '\0';
    own_name = self.dli_fname;
    required_variable = variable;
#ifdef MADV_WIPEONFORK
    void *page = mmap(NULL, sizeof *bound, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, sizeof *bound, MADV_WIPEONFORK) == 0) bound = page;
#endif
    *bound = getpid();
}

void free_successors(void) {
    *bound = 0;
}

/* Whether a variable is there, and holds each time: the linker takes the last, getenv the first. */
static int holds_in(char *const envp[], const char *name, int (*holds)(const char *value)) {
    size_t length = strlen(name);
    int found = 0;
    for (char *const *each = envp; each != NULL && *each != NULL; each++) {
        if (strncmp(*each, name, length) != 0 || (*each)[length] != '=') continue;
        if (!holds(*each + length + 1)) return 0;
        found = 1;
    }
    return found;
}

/* Whether one of the names in a preload variable's value is this library's. */
static int has_own_name(const char *value) {
    size_t length = strlen(own_name);
    for (const char *at = value; *at != '\0';) {
        size_t entry = strcspn(at, ": \t\n");
        if (entry == length && memcmp(at, own_name, length) == 0) return 1;
        at += entry;
        at += strspn(at, ": \t\n");
    }
    return 0;
}

/* Whether a requirement is this process's. */
static int has_identity(const char *value) {
    size_t length = strlen(identity);
    return strncmp(value, identity, length) == 0 && value[length] == ':';
}

/* The variable that a successor would lack; NULL when it has both. */
static const char *lost_in(char *const envp[]) {
    if (!holds_in(envp, PRELOAD_VARIABLE, has_own_name)) return PRELOAD_VARIABLE;
    return holds_in(envp, required_variable, has_identity) ? NULL : required_variable;
}

/* Whether a file can be executed: else the call fails, and the program goes on. */
static int is_executable(int directory, const char *path) {
    return path != NULL && faccessat(directory, path, X_OK, AT_EACCESS) == 0;
}

/* The same of a name that is looked for in PATH. */
static int is_found(const char *name) {
    if (name == NULL || *name == '\0') return 0;
    if (strchr(name, '/') != NULL) return is_executable(AT_FDCWD, name);
    const char *at = getenv("PATH");
    for (at = at != NULL ? at : "/bin:/usr/bin"; at != NULL;) {
        char path[4096];
        int length = (int)strcspn(at, ":");
        int size = snprintf(path, sizeof path, "%.*s/%s", length, at, name);
        const char *there = length > 0 ? path : name;
        if (size < (int)sizeof path && is_executable(AT_FDCWD, there)) return 1;
        at = at[length] == ':' ? at + length + 1 : NULL;
    }
    return 0;
}

static int is_bound(void) {
    return *bound == getpid();
}

/*
 * Why the dynamic linker cannot open this library, by an open: a sandbox may refuse access() alone.
 * 0 where it can; out of descriptors nobody knows.
 */
static int library_failure(void) {
    int before = errno;
    int file = open(own_name, O_RDONLY | O_CLOEXEC);
    int failure = file >= 0 || errno == EMFILE || errno == ENFILE ? 0 : errno;
    if (file >= 0) close(file);
    errno = before;
    return failure;
}

/* Ends the launched process where a program is to take its place that nothing would check. */
static void check(const char *program, char *const envp[]) {
    const char *lost = lost_in(envp);
    int failure = lost == NULL ? library_failure() : 0;
    if (lost == NULL && failure == 0) return;
    /* The number may be that of a child in a namespace of its own, which shares this memory. */
    if (!is_this_process(identity)) return;
    char message[2048];
    int length = snprintf(message, sizeof message,
                          "offheap: \"%.512s\" was not started: it was to replace this process, which has "
                          "to stay under an allocator, and ", program);
    char *rest = message + length;
    size_t left = sizeof message - (size_t)length;
    length += lost != NULL
        ? snprintf(rest, left,
                   "%s is not in its environment.\n"
                   "offheap: Leave that variable as it is, put \"offheap run\" after the command "
                   "that removes it, or use --no-inherit. If this is the last command of a "
                   "sh -c '...', write \"; exit $?\" after it: the shell then starts it as a "
                   "child, and children are free to leave the allocator.\n", lost)
        : snprintf(rest, left,
                   "\"%.512s\" cannot be opened any more: %s.\n"
                   "offheap: Have offheap where the new user may read it, and in the new root by the "
                   "same path, or put \"offheap run\" after the command that changes them.\n",
                   own_name, strerror(failure));
    if (write(STDERR_FILENO, message, (size_t)length) < 0) _exit(REFUSED);
    _exit(REFUSED);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[]) {
    if (is_bound() && is_executable(AT_FDCWD, path)) check(path, envp);
    return (int)syscall(SYS_execve, path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[]) {
    return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[]) {
    if (is_bound() && is_found(file)) check(file, envp);
    if (next_execvpe == NULL) find_next();
    if (next_execvpe != NULL) return next_execvpe(file, argv, envp);
    errno = ENOSYS;
    return -1;
}

EXPORT int execvp(const char *file, char *const argv[]) {
    return execvpe(file, argv, environ);
}

EXPORT int fexecve(int file, char *const argv[], char *const envp[]) {
    if (is_bound() && fcntl(file, F_GETFD) != -1) check("the program of a descriptor", envp);
    if (next_fexecve == NULL) find_next();
    if (next_fexecve != NULL) return next_fexecve(file, argv, envp);
    errno = ENOSYS;
    return -1;
}

#ifdef SYS_execveat
EXPORT int execveat(int directory, const char *path, char *const argv[], char *const envp[],
                    int flags) {
    if (is_bound() && ((flags & AT_EMPTY_PATH) != 0 || is_executable(directory, path))) {
        check((flags & AT_EMPTY_PATH) != 0 ? "the program of a descriptor" : path, envp);
    }
    return (int)syscall(SYS_execveat, directory, path, argv, envp, flags);
}
#endif

static size_t count_arguments(const char *first, va_list rest) {
    size_t count = 0;
    for (const char *each = first; each != NULL; each = va_arg(rest, const char *)) count++;
    return count;
}

/* The list of arguments that a function was called with, and what follows its NULL. */
#define COLLECT(argv, first, rest)                                                  \
    va_list rest;                                                                   \
    va_start(rest, first);                                                          \
    size_t count = count_arguments(first, rest);                                    \
    va_end(rest);                                                                   \
    char *argv[count + 1];                                                          \
    va_start(rest, first);                                                          \
    argv[0] = (char *)first;                                                        \
    for (size_t i = 1; i <= count; i++) argv[i] = va_arg(rest, char *)

EXPORT int execl(const char *path, const char *first, ...) {
    COLLECT(argv, first, rest);
    va_end(rest);
    return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *first, ...) {
    COLLECT(argv, first, rest);
    va_end(rest);
    return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *first, ...) {
    COLLECT(argv, first, rest);
    char *const *envp = va_arg(rest, char *const *);
    va_end(rest);
    return execve(path, argv, envp);
}

#else

void bind_successors(const char *variable) {
    (void)variable;
}

void free_successors(void) {}

#endif
