/*
 * What the parts of serving.h share.
 */
#ifndef OFFHEAP_SERVING_PARTS_H
#define OFFHEAP_SERVING_PARTS_H

#include <stdint.h>

#include "serving.h"

#define COUNT_OF(table) (sizeof table / sizeof table[0])

/* No larger than what one leaf of jemalloc's radix tree covers, for any page and address size. */
#define LOOKUP_REGION (128L << 20)
/* The largest page size of the supported systems. */
#define LOOKUP_STEP (64L << 10)

/* Of the entry points that align. */
#define ALIGNMENT 64

/* 0, with the reason. */
__attribute__((format(printf, 2, 3))) int no(const struct answer *why, const char *format, ...);

/* How each allocator is asked; the function is the one of its symbol. */
struct allocator {
    const char *name;
    const char *symbol;
    /* Bytes that this thread allocated; NULL when it does not count them. */
    uint64_t (*counter)(void *function);
    int (*owns)(void *function, const void *address, size_t size);
    /* Whether it may be asked about any address; NULL when the answer means nothing elsewhere. */
    int (*answers_all)(void *function);
};

/* The allocator of a name, see allocators.c; NULL when it is not known. */
const struct allocator *find_allocator(const char *name);

/* One way to get a block, and to give it back. */
struct entry {
    const char *name;
    /* What its blocks are aligned to, beyond what malloc's are. */
    size_t alignment;
    /* NULL when there is no block, or no such entry point. */
    void *(*allocate)(size_t size);
    void (*release)(void *block);
};

/* Memory that an allocator did not give: it must deny it. */
struct control {
    const char *what;
    void *address;
    /* How it is given back; NULL when it is not. */
    void (*release)(void *address);
};

/* What systems do differently, in elf*.c and macos.c. */

/* The symbol by which the system's allocator is known. */
#ifdef __APPLE__
#define SYSTEM_SYMBOL "malloc_default_zone"
#else
#define SYSTEM_SYMBOL "__libc_start_main"
#endif

/* The entry points that not every system has; ends with a row without a name. */
extern const struct entry SYSTEM_ENTRIES[];

/* The function of a name in what serves malloc, or why it does not. */
int find_server(const char *symbol, void **function, const struct answer *why);
/* Whether what serves malloc is a certain file. */
int check_file(const char *path, const struct answer *why);
/* Whether each function of C is the server's. */
int check_functions(const struct answer *why);
/* Whether what an allocator may leave to the C library is left to it. */
int check_left(const struct answer *why);
/* Whether C++'s operators are the server's, or call it. */
int check_operators(const struct answer *why);
/* Memory of others, up to a number; how many there are. */
size_t list_controls(struct control *list, size_t most);
/* Whether a block of the system's own allocator is one. */
int system_owns(void *function, const void *block, size_t size);

#endif
