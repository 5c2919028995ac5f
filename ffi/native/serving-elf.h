/*
 * ELF systems: the first object in the search order that defines malloc serves it.
 */
#ifndef OFFHEAP_SERVING_ELF_H
#define OFFHEAP_SERVING_ELF_H

#include <dlfcn.h>
#ifdef __GLIBC__
#include <link.h>
#endif
#include <stdio.h>

#define PRELOAD_VARIABLE "LD_PRELOAD"
#define SYSTEM_SYMBOL "__libc_start_main"

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
 * glibc's dlsym gives a stub where a program that is not position independent takes the function's
 * address: the objects behind it are then asked.
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
/*
 * musl tells no stub from a definition. A program that is not position independent and takes the
 * address of malloc is refused by the checks then: it fails closed.
 */
static void *definition_of(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}
#endif

static const char *serves_malloc(void *symbol) {
    void *serving = base_of(definition_of("malloc"));
    return base_of(symbol) == serving ? NULL : "it is loaded, but does not serve malloc";
}

/* That malloc lies in the C library's object is all there is to see. */
static const char *check_system(void *symbol) {
    (void)symbol;
    return NULL;
}

static void describe_server(char *text, size_t length) {
    Dl_info info;
    void *serving = definition_of("malloc");
    int known = serving != NULL && dladdr(serving, &info) != 0;
    snprintf(text, length, "%s", known ? info.dli_fname : "unknown");
}

#endif
