/*
 * Who asks the agent: a local socket in a directory of the user's own, one line in, one line of JSON
 * out. Only the same user and root are answered.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The longest that a question may take to come. */
#define PATIENCE_MS 200

static struct kept_descriptor listener = {.number = -1};
/* Where the socket's file is, and the process that made it; empty for an abstract name. */
static char socket_path[sizeof((struct sockaddr_un *)0)->sun_path];
static pid_t owner;

/* A directory that nobody else can write to or look into, made when it is missing. */
static int is_private(const char *directory) {
    struct stat it;
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) return 0;
    return lstat(directory, &it) == 0 && S_ISDIR(it.st_mode) && it.st_uid == geteuid() &&
           (it.st_mode & 077) == 0;
}

static int find_directory(char *directory, size_t size) {
    const char *runtime = agent_state.runtime_directory;
    if (runtime != NULL && *runtime == '/') {
        int length = snprintf(directory, size, "%s/offheap", runtime);
        if (length > 0 && (size_t)length < size && is_private(directory)) return 1;
    }
    snprintf(directory, size, "/tmp/offheap-%u", (unsigned)geteuid());
    return is_private(directory);
}

/* Whether somebody listens: a process of the same number in another namespace that shares the directory. */
static int is_taken(const struct sockaddr_un *address) {
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) return 0;
    int taken = connect(made, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN;
    close(made);
    return taken;
}

static int bind_file(int made, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    if (is_taken(&address)) return 0;
    /* One that an earlier process of this number left. */
    unlink(path);
    if (bind(made, (struct sockaddr *)&address, sizeof address) != 0) return 0;
    owner = getpid();
    strcpy(socket_path, path);
    return 1;
}

/* Nothing in the file system, and nobody can take its place while it is open. */
static int bind_abstract(int made) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "offheap-%u-%d",
                          (unsigned)geteuid(), (int)getpid());
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return bind(made, (struct sockaddr *)&address, size) == 0;
}

void open_socket(void) {
    /* What is left of a socket's longest path beside "/", a process ID and ".sock". */
    char directory[sizeof socket_path - 20], path[sizeof socket_path];
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) return;
    int bound = 0;
    if (find_directory(directory, sizeof directory)) {
        snprintf(path, sizeof path, "%s/%d.sock", directory, (int)getpid());
        bound = bind_file(made, path);
    }
    if ((bound || bind_abstract(made)) && listen(made, 8) == 0) listener = keep_descriptor(made);
    if (listener.number < 0) close(made);
}

size_t socket_directory(const char **path) {
    const char *end = strrchr(socket_path, '/');
    *path = socket_path;
    return end != NULL ? (size_t)(end - socket_path) : 0;
}

int listening_socket(void) {
    return kept_number(&listener);
}

void forget_socket(void) {
    if (listening_socket() >= 0) close(listener.number);
    listener.number = -1;
    socket_path[0] = '\0';
}

void remove_socket(void) {
    if (socket_path[0] != '\0' && owner == getpid()) unlink(socket_path);
}

/* One line, without its end, within the time; 0 when it did not come. */
static int read_line(int from, char *line, size_t size) {
    size_t length = 0;
    uint64_t until = now_ns() + PATIENCE_MS * MS;
    while (length < size - 1 && now_ns() < until) {
        struct pollfd ready = {.fd = from, .events = POLLIN};
        if (poll(&ready, 1, PATIENCE_MS) <= 0) return 0;
        ssize_t got = recv(from, line + length, size - 1 - length, MSG_DONTWAIT);
        if (got <= 0) return 0;
        length += (size_t)got;
        char *end = memchr(line, '\n', length);
        if (end == NULL) continue;
        *end = '\0';
        return 1;
    }
    return 0;
}

static int may_ask(int from) {
    struct ucred who;
    socklen_t length = sizeof who;
    if (getsockopt(from, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return 0;
    return who.uid == 0 || who.uid == geteuid();
}

static void answer(int from, struct text *text) {
    char line[256];
    /* Read before anything else: who has not been read gets an error in place of the answer. */
    int read = read_line(from, line, sizeof line);
    if (!may_ask(from)) answer_refusal(text, "only the same user and root are answered");
    else if (!read) answer_refusal(text, "a question is one line");
    else answer_line(text, line);
    /* It fits into the socket's buffer: nothing waits for who does not read. */
    (void)send(from, text->bytes, text->length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void answer_one(void) {
    static struct text text;
    int number = listening_socket();
    int from = number < 0 ? -1 : accept4(number, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (from < 0) return;
    text.length = 0;
    answer(from, &text);
    close(from);
}

#else
typedef int socket_is_for_linux;
#endif
