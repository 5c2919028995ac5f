/*
 * What the parts of the agent share; see agent.h.
 */
#ifndef OFFHEAP_AGENT_PARTS_H
#define OFFHEAP_AGENT_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MS UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* What is asked and answered; the agent's thread alone writes it, but for `stopped`. */
struct agent_state {
    long idle_ms;
    /* The user's limit in bytes, or in hundredths of what there is; 0 without one. */
    uint64_t limit;
    unsigned limit_percent;
    /* Purges so far, what they brought in bytes of resident memory, and how long the last one took. */
    uint64_t purges, returned, last_ns;
    /* Whether memory is short at the moment, and how often it has become so. */
    int pressed;
    uint64_t pressures;
    /* Variables as they were at the start: the program may set others while the thread would read. */
    const char *runtime_directory, *pressure_watch, *pressure_write;
};

extern struct agent_state agent_state;

/* Why the agent does not run, or does not purge at rest; NULL while it does. */
const char *why_stopped(void);
void stop_for(const char *why);

/* While it is held the agent may be in the allocator, and no fork happens. */
void hold_fork(void);
void let_fork(void);
/* Whether the program ends: then the allocator is left alone. To be asked with the lock held. */
int is_ending(void);

/* ---- files.c ---- */

/* Nanoseconds of the monotonic clock, and of processor time of the whole process. */
uint64_t now_ns(void);
uint64_t processor_ns(void);
/* Reads a small file into a buffer, NUL-terminated. The length, or -1. */
long read_small(const char *path, char *buffer, size_t size);
/* The number that a small file begins with; 0 when there is none. */
int read_number(const char *path, uint64_t *value);
/* Gives each line of a file to a function until that returns 0; a line is truncated at 2 KiB. */
void read_lines(const char *path, int (*take)(char *line, void *data), void *data);
/* Resident bytes of this process; 0 where the kernel does not say. */
uint64_t resident_bytes(void);

/*
 * A descriptor that the agent keeps. Where it could not have descriptors of its own, the program may
 * have closed it, and opened another of the same number.
 */
struct kept_descriptor {
    int number;
    dev_t device;
    ino_t node;
};
/* Keeps a descriptor; -1 for no descriptor. */
struct kept_descriptor keep_descriptor(int number);
/* The descriptor, or -1 when it is not what was kept. */
int kept_number(const struct kept_descriptor *kept);

/* ---- purge.c: when memory is given back ---- */

/* Purges once, with the lock held; NULL, or why nothing was done. */
const char *agent_purge(void);
/* How long unused pages are kept; below 0 as at the start. NULL, or why not. With the lock held. */
const char *agent_decay(long milliseconds);
/* The start; then a look when one is due, and at once when the system says that memory is short. */
void begin_looking(void);
void look(void);
void look_at_shortness(int certain);
/* When the next look is due, in nanoseconds of the monotonic clock. */
uint64_t next_look(void);

/* ---- allocators.c, jemalloc.c: what serves malloc ---- */

/* The names of figures, in lib/allocators/statistics.ts, too. */
enum figure {
    ALLOCATED,
    ACTIVE,
    RESIDENT,
    MAPPED,
    RETAINED,
    METADATA,
    COMMITTED,
    DIRTY,
    MUZZY,
    ARENAS,
    THREADS,
    FIGURE_COUNT
};
extern const char *const FIGURE_NAMES[FIGURE_COUNT];

/* What an allocator counts: bytes, or why it does not. */
struct figures {
    uint64_t counted[FIGURE_COUNT];
    const char *absent[FIGURE_COUNT];
};

/* Sampling of the heap. What is refused has a reason. */
struct sampling {
    /* 1 where samples can be taken: whether they are, and one is each so many bytes. */
    int (*read)(int *active, uint64_t *interval);
    const char *not_prepared;
    const char *(*set_active)(int active);
    /* What was sampled so far counts as freed. */
    const char *(*forget)(void);
    /* Writes what is live into a file. */
    const char *(*dump)(const char *path);
};

/* One allocator. It is known by a symbol in the object that serves malloc. What it lacks is NULL. */
struct giver {
    const char *name;
    const char *symbol;
    /* The function that gives back, where that is not the symbol. */
    const char *function;
    /* Which takes its place in the version that is there, or NULL. */
    const struct giver *(*instead)(void);
    /* Writes its version; leaves the text empty where it does not say. */
    void (*version)(char *text, size_t size);
    /* Gives back what can be given, asking between steps whether to go on; or why nothing can be. */
    void (*give)(int (*go_on)(void));
    const char *no_give;
    /* How long unused pages are kept: 1 when it was read or set; or why that cannot be. */
    int (*read_decay)(long *milliseconds);
    int (*set_decay)(long milliseconds);
    const char *no_decay;
    /* Does what is due by its own decay. */
    void (*tick)(void);
    /* Counts what it can, and why it counts nothing else. */
    void (*count)(struct figures *figures);
    const char *no_count;
    const struct sampling *sampling;
};

extern const struct giver JEMALLOC_GIVER;
extern const struct sampling JEMALLOC_SAMPLING;
/* Its mallctl(), of the one that serves malloc. */
int jemalloc_control(const char *name, void *old, size_t *length, void *new, size_t size);

/* Finds who serves malloc: one who gives nothing where nobody is known. */
void find_giver(void);
/* Who it is; never NULL. */
const struct giver *agent_giver(void);
/* The function that gives back, or NULL. */
void *giver_function(void);
/* NULL, or why nothing can be given back. */
const char *why_not_given(void);
/* Gives back: NULL, or why nothing can be. */
const char *give_back(int (*go_on)(void));
/* Counts every figure, or says why not. */
void count_memory(struct figures *figures);
void count_figure(struct figures *figures, enum figure figure, uint64_t value);

/* ---- limits.c ---- */

/* Finds this process's control groups. */
void find_limits(void);
/* What is used of the tightest limit, in thousandths; -1 when nothing limits this process. */
int used_of_limit(void);
/* The user's limit in bytes; 0 without one. */
uint64_t user_limit(void);
/* The directory of this process's group in version 2's hierarchy; NULL without one. */
const char *unified_group(void);

/* ---- pressure.c ---- */

/* Asks the system, or systemd, to say when memory is short. */
void open_pressure(void);
/* What to poll for that; -1 without it. */
int pressure_descriptor(short *events);
/* It is ready: reads what has come. 1 when memory is short for certain. */
int take_pressure(short events);

/* ---- dumps.c ---- */

/* Writes what is live into a new file of this user's alone, and gives its path; or why not. */
const char *dump_samples(const struct sampling *sampling, char *path, size_t size);
/* The program ends: files that nobody took are removed. */
void remove_dumps(void);

/* ---- socket.c, answers.c ---- */

/* Makes the socket; without one nobody is answered. */
void open_socket(void);
/* The directory of the socket's file; its length, or 0 where there is none. */
size_t socket_directory(const char **path);
/* The listening socket, or -1. */
int listening_socket(void);
/* Answers one who has connected. */
void answer_one(void);
/* In a child made by fork: the socket is the parent's. */
void forget_socket(void);
/* The program ends, or becomes another. */
void remove_socket(void);

struct text {
    char bytes[4096];
    size_t length;
};
/* Writes the answer to a line, itself one line of JSON. */
void answer_line(struct text *text, char *line);
void answer_refusal(struct text *text, const char *why);

#endif
