/*
 * Memory that is not the allocator's, on ELF systems: others' pages, and libc's own blocks.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __ELF__

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "elf-symbols.h"

static void release_page(void *page) {
    munmap(page, 1);
}

/* libc's own malloc, also where another one serves the process. */
static void *libc_function(const char *name) {
    struct definition libc, server, found;
    if (!find_definition(SYSTEM_SYMBOL, &libc) || !find_definition("malloc", &server)) return NULL;
    if (libc.base == server.base || !find_definition_in(&libc, name, &found)) return NULL;
    return found.address;
}

static void release_libc(void *block) {
    void (*release)(void *);
    *(void **)&release = libc_function("free");
    release(block);
}

size_t list_controls(struct control *list, size_t most) {
    const struct {
        const char *what;
        void *address;
    } pages[] = {
        {"a page of nobody's", mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
        {"a shared page", mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)},
#ifdef __linux__
        {"a page from the kernel", (void *)syscall(SYS_mmap, NULL, 1, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L)},
#endif
    };
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        if (pages[i].address == MAP_FAILED || count == most) continue;
        list[count++] = (struct control){pages[i].what, pages[i].address, release_page};
    }
    void *(*allocate)(size_t);
    *(void **)&allocate = libc_function("malloc");
    const size_t sizes[] = {100, 256 << 10};
    for (size_t i = 0; allocate != NULL && i < COUNT_OF(sizes); i++) {
        void *block = allocate(sizes[i]);
        if (block == NULL || count == most) continue;
        list[count++] = (struct control){"a block of libc's own malloc", block, release_libc};
    }
    return count;
}

/*
 * glibc's malloc writes the size of a chunk before it, up to two more units than an aligned block
 * needs. Where the word before cannot be read for
 * certain, at the start of a page, nothing is known; musl has no such word.
 */
int system_owns(void *function, const void *block, size_t size) {
    (void)function;
#ifdef __GLIBC__
    const size_t unit = 2 * sizeof(size_t), page = 4096;
    if ((uintptr_t)block % page < sizeof(size_t)) return 1;
    size_t header;
    memcpy(&header, (const char *)block - sizeof header, sizeof header);
    size_t chunk = header & ~(size_t)7, slack = header & 2 ? LOOKUP_STEP + unit : ALIGNMENT + 4 * unit;
    size_t least = size + sizeof header > 2 * unit ? size + sizeof header : 2 * unit;
    return chunk % unit == 0 && chunk >= least && chunk < least + slack;
#else
    (void)block, (void)size;
    return 1;
#endif
}

#endif
