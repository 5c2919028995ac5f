/*
 * offheap's shim: what cannot be done from JavaScript.
 *
 * Preloaded beside an allocator by "offheap run", its constructor checks, before the program's own
 * code runs, that the required allocator really serves malloc, and ends the process when it does
 * not. Loaded by a runtime, it replaces the runtime by a program, and reads glibc's counters.
 *
 * Environment that the constructor reads:
 *   OFFHEAP_REQUIRE=PID:ALLOCATOR  in the process PID, ALLOCATOR must serve malloc. Processes that
 *                                  it starts inherit the variable but have other PIDs.
 *   OFFHEAP_RESTORE=PID:COUNT\nNAME=VALUE\nNAME\n...  in the process PID, the COUNT-th program that it
 *                                  executes sets or unsets these variables for its children
 *                                  ("offheap run --no-inherit"; env in a script's first line is a
 *                                  program before the last).
 */
#define _GNU_SOURCE
#include <stddef.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <link.h>
#endif
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef MAP_FIXED_NOREPLACE
#define FIXED_NOREPLACE MAP_FIXED_NOREPLACE
#else
#define FIXED_NOREPLACE 0
#endif

#define EXPORT __attribute__((visibility("default")))
#define REQUIRE "OFFHEAP_REQUIRE"
#define RESTORE "OFFHEAP_RESTORE"
#define ABI_VERSION 2
#define REFUSED 125
#define PROBE_SIZE 3001
/* No larger than what one leaf of jemalloc's radix tree covers, for any page and address size. */
#define LOOKUP_REGION (128L << 20)
/* The largest page size of the supported systems. */
#define LOOKUP_STEP (64L << 10)
#define FIRST_LISTEN_FD 3
#define MOST_LISTEN_FDS 1024

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);
typedef _Bool (*mi_owns_fn)(const void *);

/* An address in static data: no allocator may claim it. */
static char static_control;

EXPORT int offheap_abi_version(void) {
    return ABI_VERSION;
}

/* glibc's bytes in use by malloc, in all arenas and in mapped blocks. 0, or ENOSYS. */
EXPORT int offheap_glibc_in_use(uint64_t *bytes) {
    struct mallinfo2_layout {
        size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
    };
    struct mallinfo2_layout (*mallinfo2_fn)(void);
    *(void **)&mallinfo2_fn = dlsym(RTLD_DEFAULT, "mallinfo2");
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
 * Becomes the program: does not return but with an error number.
 *
 * Runtimes ignore SIGPIPE and SIGXFSZ, and make the standard streams close-on-exec and
 * non-blocking; a program must find them as a shell would have left them. Descriptors that systemd
 * passes stay open, too.
 */
EXPORT int offheap_exec(const char *path, char *const argv[], char *const envp[]) {
    struct sigaction byDefault = {.sa_handler = SIG_DFL};
    sigemptyset(&byDefault.sa_mask);
    sigaction(SIGPIPE, &byDefault, NULL);
    sigaction(SIGXFSZ, &byDefault, NULL);

    const char *listen = getenv("LISTEN_FDS");
    int last = FIRST_LISTEN_FD - 1 + (listen != NULL ? atoi(listen) : 0);
    for (int fd = 0; fd <= last && fd < MOST_LISTEN_FDS; fd++) keep_open_over_exec(fd);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) make_blocking(fd);

    execve(path, argv, envp);
    return errno;
}

static void *base_of(const void *address) {
    Dl_info info;
    return address != NULL && dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

#ifdef __GLIBC__
/* Whether an address is only a stub of the program's for a function that another object defines. */
static int is_stub(const void *address) {
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    return dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol != NULL &&
           symbol->st_shndx == SHN_UNDEF;
}

/*
 * The definition that calls of a symbol go to. glibc's dlsym gives a stub where a program that is
 * not position independent takes the function's address: the objects behind it are then asked.
 */
static void *definition_of(const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL || !is_stub(found)) return found;
    void *program = dlopen(NULL, RTLD_LAZY | RTLD_NOLOAD);
    if (program == NULL) return NULL;
    void *definition = NULL;
    for (struct link_map *map = ((struct link_map *)program)->l_next;
         map != NULL && definition == NULL; map = map->l_next) {
        void *object = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
        if (object == NULL) continue;
        void *symbol = dlsym(object, name);
        if (symbol != NULL && base_of(symbol) == (void *)map->l_addr) definition = symbol;
        dlclose(object);
    }
    dlclose(program);
    return definition;
}
#else
/* musl's dlsym, and that of other systems, gives definitions only. */
static void *definition_of(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}
#endif

/* A block that the compiler must really ask malloc for. */
static void *probe_block(void) {
    volatile char *block = malloc(PROBE_SIZE);
    if (block != NULL) block[0] = 1;
    return (void *)block;
}

static int mallctl_owns(mallctl_fn mallctl_call, const void *address) {
    unsigned arena;
    size_t length = sizeof arena;
    return mallctl_call("arenas.lookup", &arena, &length, &address, sizeof address) == 0;
}

static uint64_t mallctl_allocated(mallctl_fn mallctl_call) {
    uint64_t bytes = 0;
    size_t length = sizeof bytes;
    return mallctl_call("thread.allocated", &bytes, &length, NULL, 0) == 0 ? bytes : 0;
}

/*
 * A fresh page that no allocator owns, in the same region as a block: jemalloc 5.3 crashes when
 * arenas.lookup is asked for an address in a region of which it knows nothing.
 */
static void *map_page_beside(const void *block) {
    uintptr_t region = (uintptr_t)block & ~((uintptr_t)LOOKUP_REGION - 1);
    /* Never the page at 0, which root may map: a null pointer would then point to something. */
    uintptr_t first = region == 0 ? LOOKUP_STEP : region;
    for (uintptr_t at = first; at < region + LOOKUP_REGION; at += LOOKUP_STEP) {
        void *page = mmap((void *)at, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | FIXED_NOREPLACE, -1, 0);
        if (page == MAP_FAILED) continue;
        if (((uintptr_t)page & ~((uintptr_t)LOOKUP_REGION - 1)) == region) return page;
        munmap(page, 1);
    }
    return NULL;
}

/* Each check gives NULL, or what is wrong. */
static const char *check_jemalloc(void *symbol) {
    mallctl_fn mallctl_call;
    *(void **)&mallctl_call = symbol;
    uint64_t before = mallctl_allocated(mallctl_call);
    void *block = probe_block();
    uint64_t moved = mallctl_allocated(mallctl_call) - before;
    /* A jemalloc that did not allocate the block must not be asked for it, see above. */
    if (moved < PROBE_SIZE || moved > 2 * PROBE_SIZE) return "its counters do not follow malloc";
    void *page = map_page_beside(block);
    int claims_all = page != NULL && mallctl_owns(mallctl_call, page);
    int owned = mallctl_owns(mallctl_call, block);
    if (page != NULL) munmap(page, 1);
    free(block);
    if (claims_all) return "its mallctl claims memory that no allocator owns";
    return owned ? NULL : "a block from malloc does not belong to it";
}

static const char *check_mimalloc(void *symbol) {
    mi_owns_fn owns;
    *(void **)&owns = symbol;
    char on_stack;
    void *block = probe_block();
    int owned = owns(block);
    int claims_all = owns(&on_stack) || owns(&static_control);
    free(block);
    if (claims_all) return "its mi_is_in_heap_region claims memory that no allocator owns";
    return owned ? NULL : "a block from malloc does not belong to it";
}

static const char *check_system(void *symbol) {
    (void)symbol;
    return NULL;
}

/* The symbol must lie in the same object as malloc. */
static const struct {
    const char *allocator;
    const char *symbol;
    const char *(*check)(void *symbol);
} CHECKS[] = {
    {"jemalloc", "mallctl", check_jemalloc},
    {"mimalloc", "mi_is_in_heap_region", check_mimalloc},
    {"system", "__libc_start_main", check_system},
};

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

static void refuse(const char *allocator, const char *why) {
    Dl_info info;
    char message[2048];
    void *serving = definition_of("malloc");
    const char *object = serving != NULL && dladdr(serving, &info) != 0 ? info.dli_fname : "unknown";
    const char *preload = getenv("LD_PRELOAD");
    snprintf(message, sizeof message,
             "offheap: this program was to run under %s, and was ended before it started: %s.\n"
             "offheap: malloc is served by %s; LD_PRELOAD is \"%s\".\n",
             allocator, why, object, preload != NULL ? preload : "");
    say(message);
    _exit(REFUSED);
}

static void require(const char *allocator) {
    void *malloc_base = base_of(definition_of("malloc"));
    for (size_t i = 0; i < sizeof CHECKS / sizeof CHECKS[0]; i++) {
        if (strcmp(CHECKS[i].allocator, allocator) != 0) continue;
        void *symbol = definition_of(CHECKS[i].symbol);
        if (symbol == NULL) refuse(allocator, "it is not loaded");
        if (base_of(symbol) != malloc_base) refuse(allocator, "it is loaded, but does not serve malloc");
        const char *wrong = CHECKS[i].check(symbol);
        if (wrong != NULL) refuse(allocator, wrong);
        return;
    }
    refuse(allocator, "offheap's shim knows no allocator of that name");
}

/* The text behind "PID:" when PID is this process, else NULL. */
static const char *meant_for_this_process(const char *variable) {
    const char *value = getenv(variable);
    if (value == NULL) return NULL;
    char *end;
    long pid = strtol(value, &end, 10);
    return *end == ':' && pid == (long)getpid() ? end + 1 : NULL;
}

/* Sets or unsets the variables of the lines behind the count. */
static void restore(char *lines) {
    char *rest = lines;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *equals = strchr(line, '=');
        if (equals != NULL) {
            *equals = '\0';
            setenv(line, equals + 1, 1);
        } else if (*line != '\0') {
            unsetenv(line);
        }
    }
    unsetenv(RESTORE);
}

/* One program of the chain has started: restores in the last, passes the rest of the count on. */
static void count_down(const char *order) {
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
            snprintf(next, size, "%ld:%ld%s", (long)getpid(), left - 1, lines);
            setenv(RESTORE, next, 1);
            free(next);
        }
    }
    free(copy);
}

__attribute__((constructor)) static void check_at_start(void) {
    const char *allocator = meant_for_this_process(REQUIRE);
    if (allocator != NULL) require(allocator);
    const char *order = meant_for_this_process(RESTORE);
    if (order != NULL) count_down(order);
}
