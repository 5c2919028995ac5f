/*
 * Finding definitions in the loaded objects by their own symbol tables, in the order in which the
 * dynamic linker searches. dlsym would give a PLT stub where a program that is not position
 * independent takes a function's address, may be replaced itself, and takes 200 us for a name that
 * nothing defines.
 */
#ifndef OFFHEAP_ELF_SYMBOLS_H
#define OFFHEAP_ELF_SYMBOLS_H

#include <stdint.h>

/* A definition, and the object that it is in; the program's name is empty. */
struct definition {
    const char *object;
    uintptr_t base;
    void *address;
};

/* The definition that calls go to. 0 when there is none. */
int find_definition(const char *name, struct definition *found);

/* The definition in the object of another one. 0 when there is none. */
int find_definition_in(const struct definition *object, const char *name, struct definition *found);

/* As the first, but not in objects after that of another definition; in all of them after NULL. */
int find_definition_up_to(const struct definition *last, const char *name, struct definition *found);

#endif
