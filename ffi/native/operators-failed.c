/*
 * C++'s operator new when memory has run out: the program's new-handler is called until there is
 * memory or there is no handler; then std::bad_alloc is thrown. Handlers and exceptions belong to the
 * C++ runtime library, which no allocator may need: it is looked up in the process, where it may also
 * have been loaded after the start, by an addon.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "operators.h"

/* The headers declare them only if they are asked to, which is for the allocator's source to decide. */
#ifndef RTLD_NEXT
#define RTLD_NEXT ((void *)-1l)
#endif

_Bool offheap_operators_elsewhere;

void *offheap_next_operators[OFFHEAP_PLACES];

#define OFFHEAP_OWN(name) {#name, (void *)name},
static const struct {
    const char *name;
    void *address;
} OPERATORS_HERE[] = {OFFHEAP_OPERATORS(OFFHEAP_OWN)};

/* By the program's own list: a search from here would begin with this library, which is symbolic. */
__attribute__((constructor)) static void look_for_other_operators(void) {
    void *program = dlopen(NULL, RTLD_LAZY | RTLD_NOLOAD);
    if (program == NULL) return;
    for (size_t i = 0; i < OFFHEAP_PLACES; i++) {
        void *first = dlsym(program, OPERATORS_HERE[i].name);
        if (first != NULL && first != OPERATORS_HERE[i].address) offheap_operators_elsewhere = 1;
    }
    dlclose(program);
    /* Now, as a search that fails allocates: nobody expects that of an allocation. */
    for (size_t i = 0; offheap_operators_elsewhere && i < OFFHEAP_PLACES; i++) {
        offheap_next_operators[i] = dlsym(RTLD_NEXT, OPERATORS_HERE[i].name);
    }
}

typedef void (*NewHandler)(void);

static const char *const RUNTIMES[] = {"libstdc++.so.6", "libc++.so.1"};

/* A function of a library that is loaded; NULL means all that the program sees. */
static void *function_of(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == NULL) return NULL;
    void *found = dlsym(handle, name);
    dlclose(handle);
    return found;
}

/* A function of the C++ runtime library itself, whoever has another of the name. */
static void *runtime_function(const char *name) {
    void *found = NULL;
    for (size_t i = 0; found == NULL && i < sizeof RUNTIMES / sizeof *RUNTIMES; i++) {
        found = function_of(RUNTIMES[i], name);
    }
    return found;
}

/* A function that only a C++ runtime library has, which may be linked into the program. */
static void *process_function(const char *name) {
    void *found = function_of(NULL, name);
    return found != NULL ? found : runtime_function(name);
}

static NewHandler new_handler(void) {
    NewHandler (*get)(void) = (NewHandler(*)(void))process_function("_ZSt15get_new_handlerv");
    return get == NULL ? NULL : get();
}

static void say(const char *sentence) {
    size_t length = 0;
    while (sentence[length] != '\0') length++;
    if (write(STDERR_FILENO, sentence, length) < 0) return; /* nobody reads it */
}

__attribute__((noreturn)) static void throw_bad_alloc(void) {
    void (*throw)(void) = (void (*)(void))process_function("_ZSt17__throw_bad_allocv");
    if (throw != NULL) throw();
    say("offheap: Cannot allocate memory for operator new: there is no more, and no C++ runtime library in "
            "this process to throw std::bad_alloc.\n");
    abort();
}

void *offheap_new_failed(size_t size, size_t alignment) {
    for (;;) {
        NewHandler handler = new_handler();
        if (handler == NULL) throw_bad_alloc();
        handler();
        void *block = offheap_new_attempt(size, alignment);
        if (block != NULL) return block;
    }
}

/* C cannot catch what a handler throws. The runtime library's own operator can: it calls the throwing
   one, which is ours, and gives NULL for an exception. */
void *offheap_new_nothrow_failed(size_t size, size_t alignment) {
    static const char tag;
    if (new_handler() == NULL) return NULL;
    if (alignment == 0) {
        void *(*plain)(size_t, const char *) =
                (void *(*)(size_t, const char *))runtime_function("_ZnwmRKSt9nothrow_t");
        return plain == NULL ? NULL : plain(size, &tag);
    }
    void *(*aligned)(size_t, size_t, const char *) =
            (void *(*)(size_t, size_t, const char *))runtime_function("_ZnwmSt11align_val_tRKSt9nothrow_t");
    return aligned == NULL ? NULL : aligned(size, alignment, &tag);
}
