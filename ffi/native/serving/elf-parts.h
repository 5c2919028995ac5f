/*
 * What the parts of serving on ELF systems share.
 */
#ifndef OFFHEAP_SERVING_ELF_PARTS_H
#define OFFHEAP_SERVING_ELF_PARTS_H

#include "elf-symbols.h"

/* The file that a definition is in. */
const char *file_of(const struct definition *it);

#endif
