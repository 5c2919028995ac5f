/*
 * Who says that memory is short: systemd by $MEMORY_PRESSURE_WATCH, else the kernel's PSI of this
 * process's control group, else that of the host. See systemd's MEMORY_PRESSURE and the kernel's psi.rst.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Some task waited for memory for 200 ms within 2 s; who has no privileges may ask for no shorter window. */
static const char TRIGGER[] = "some 200000 2000000";

static struct kept_descriptor watched = {.number = -1};
static short watched_events;
/* Whether it is about this process's own group or service, and not about the whole host. */
static int is_own;
/* PSI says so once, falsely, after a trigger was set: that one is passed over. */
static int passed_over;

/* Writes base64's bytes over its own text; how many there are, or -1. */
static long decode_base64(char *text) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    long length = 0;
    unsigned bits = 0, value = 0;
    for (const char *at = text; *at != '\0' && *at != '='; at++) {
        const char *digit = strchr(DIGITS, *at);
        if (digit == NULL) return -1;
        value = value << 6 | (unsigned)(digit - DIGITS);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        text[length++] = (char)(value >> bits);
    }
    return length;
}

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -1;
    strcpy(address.sun_path, path);
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) return -1;
    if (connect(made, (struct sockaddr *)&address, sizeof address) == 0) return made;
    close(made);
    return -1;
}

/* Watches a file: PSI's and others that are written to first say so by POLLPRI, pipes and sockets by POLLIN. */
static int watch_file(const char *path, const char *order, size_t length) {
    struct stat it;
    if (stat(path, &it) != 0) return 0;
    int file = S_ISSOCK(it.st_mode) ? connect_to(path) : open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return 0;
    if (length > 0 && write(file, order, length) < 0) {
        close(file);
        return 0;
    }
    watched = keep_descriptor(file);
    watched_events = S_ISREG(it.st_mode) ? POLLPRI : POLLIN;
    return watched.number >= 0;
}

/* 1 where systemd has said what to watch, if only to watch nothing. */
static int watch_for_systemd(void) {
    const char *path = agent_state.pressure_watch, *encoded = agent_state.pressure_write;
    if (path == NULL) return 0;
    if (strcmp(path, "/dev/null") == 0) return 1;
    char order[512] = "";
    if (encoded != NULL && strlen(encoded) < sizeof order) strcpy(order, encoded);
    long length = decode_base64(order);
    return length >= 0 && watch_file(path, order, (size_t)length);
}

void open_pressure(void) {
    char path[1200];
    is_own = 1;
    if (watch_for_systemd()) return;
    const char *group = unified_group();
    if (group != NULL) {
        snprintf(path, sizeof path, "%s/memory.pressure", group);
        if (watch_file(path, TRIGGER, sizeof TRIGGER)) return;
    }
    is_own = 0;
    (void)watch_file("/proc/pressure/memory", TRIGGER, sizeof TRIGGER);
}

int pressure_descriptor(short *events) {
    *events = watched_events;
    return kept_number(&watched);
}

static void stop_watching(void) {
    if (kept_number(&watched) >= 0) close(watched.number);
    watched.number = -1;
}

int take_pressure(short events) {
    char text[512];
    if (events & POLLIN) {
        if (read(watched.number, text, sizeof text) > 0) return is_own;
        stop_watching();
        return 0;
    }
    if (!(events & POLLPRI) || events & POLLERR) {
        stop_watching();
        return 0;
    }
    if (passed_over) return is_own;
    passed_over = 1;
    return 0;
}

#else
typedef int pressure_is_for_linux;
#endif
