/*
 * Many processes that look like launched ones: each has a file of the shim's name mapped, and a thread of
 * the agent's name that answers every question with the same line.
 *
 *   crowd COUNT DIRECTORY FILE    prints "ready" and ends when its standard input does
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const ANSWER =
    "{\"offheap\":1,\"pid\":%d,\"allocator\":\"jemalloc\",\"version\":\"5.3.1\",\"idleMilliseconds\":1000,"
    "\"limit\":null,\"stopped\":null,\"resident\":104857600,\"counted\":{\"allocated\":52428800,"
    "\"active\":58720256,\"resident\":83886080,\"mapped\":92274688,\"retained\":12582912,"
    "\"metadata\":4194304,\"dirty\":20971520,\"muzzy\":0,\"arenas\":8,\"threads\":11},"
    "\"absent\":{\"committed\":\"jemalloc does not count what is committed\"},\"purges\":12,"
    "\"returned\":734003200,\"lastPurgeMilliseconds\":1.5,\"pressed\":false,\"pressures\":0}\n";

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void *answer(void *listening)
{
    prctl(PR_SET_NAME, "offheap");
    for (;;) {
        int connection = accept(*(int *)listening, NULL, NULL);
        if (connection < 0)
            continue;
        char line[64];
        if (read(connection, line, sizeof line) > 0)
            dprintf(connection, ANSWER, (int)getpid());
        close(connection);
    }
    return NULL;
}

static void be_process(const char *directory, const char *file, int ready)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int shim = open(file, O_RDONLY);
    if (shim < 0 || mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, shim, 0) == MAP_FAILED)
        fail(file);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%d.sock", directory, (int)getpid());
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&address, sizeof address) != 0 || listen(listening, 4) != 0)
        fail(address.sun_path);
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer, &listening) != 0)
        fail("pthread_create");
    if (write(ready, "", 1) != 1)
        fail("write");
    for (;;)
        pause();
}

int main(int count, char **words)
{
    if (count != 4) {
        fputs("usage: crowd COUNT DIRECTORY FILE\n", stderr);
        return 2;
    }
    /* Who asked may not have waited. */
    signal(SIGPIPE, SIG_IGN);
    int processes = atoi(words[1]);
    int ready[2];
    if (pipe(ready) != 0)
        fail("pipe");
    for (int each = 0; each < processes; each++) {
        pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0)
            be_process(words[2], words[3], ready[1]);
    }
    for (int each = 0; each < processes; each++) {
        char byte;
        if (read(ready[0], &byte, 1) != 1)
            fail("read");
    }
    puts("ready");
    fflush(stdout);
    char rest[256];
    while (read(0, rest, sizeof rest) > 0)
        ;
    return 0;
}
