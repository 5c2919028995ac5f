/*
 * See execute.h. Systems with a preload have it.
 */
#define _GNU_SOURCE
#include "execute.h"

#ifndef _WIN32

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

static int carries_capabilities(int file) {
    return fgetxattr(file, "security.capability", NULL, 0) > 0;
}

/* As the kernel calls the path of a program that was executed by its descriptor. */
#define BY_DESCRIPTOR "/dev/fd/"

void name_as_executed(void) {
    const char *path = (const char *)getauxval(AT_EXECFN);
    if (path == NULL || strncmp(path, BY_DESCRIPTOR, sizeof BY_DESCRIPTOR - 1) != 0) return;
    prctl(PR_SET_NAME, program_invocation_short_name);
}

/* Past the C library's own functions, one of which is ours: see become.c. */
static void execute_path(const char *path, char *const argv[], char *const envp[]) {
    syscall(SYS_execve, path, argv, envp);
}

/* Returns whether the kernel or a sandbox cannot execute a file in this way. */
static int execute_file(int file, char *const argv[], char *const envp[]) {
    syscall(SYS_execveat, file, "", argv, envp, AT_EMPTY_PATH);
    /* ENOENT: its interpreter would have to open it again, as QEMU's does by binfmt_misc. */
    return errno == ENOSYS || errno == EPERM || errno == ENOENT;
}

#else

static int carries_capabilities(int file) {
    (void)file;
    return 0;
}

void name_as_executed(void) {}

static void execute_path(const char *path, char *const argv[], char *const envp[]) {
    execve(path, argv, envp);
}

static int execute_file(int file, char *const argv[], char *const envp[]) {
    (void)file, (void)argv, (void)envp;
    return 1;
}

#endif

_Static_assert(CHECKED_FIELDS == 6, "lib/run/exec.ts writes as many");

/* The kernel's numbers, as JavaScript has them: some are too large for a double, and rounded. */
static int is_checked(int file, const double *checked) {
    struct stat found;
    return fstat(file, &found) == 0 && (double)found.st_dev == checked[DEVICE] &&
           (double)found.st_ino == checked[INODE] && (double)found.st_size == checked[SIZE] &&
           (double)found.st_mode == checked[MODE] &&
           carries_capabilities(file) == (checked[CAPABILITIES] != 0);
}

int execute(const char *path, char *const argv[], char *const envp[], const double *checked) {
    int file = -1;
    int by_path = 1;
    if (checked != NULL) {
        file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) return errno;
        if (!is_checked(file, checked)) {
            close(file);
            return ESTALE;
        }
        if (checked[PROGRAM] != 0) by_path = execute_file(file, argv, envp);
    }
    if (by_path) execute_path(path, argv, envp);
    int failure = errno;
    if (file >= 0) close(file);
    return failure;
}

#endif
