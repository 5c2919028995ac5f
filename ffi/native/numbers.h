/*
 * Sizes and addresses as they cross from JavaScript: as doubles, which hold each of them exactly up to
 * 2^53 and which every runtime passes fastest.
 */
#ifndef OFFHEAP_NUMBERS_H
#define OFFHEAP_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

_Static_assert(sizeof(double) == 8 && sizeof(void *) == 8 && SIZE_MAX == UINT64_MAX,
               "a size and an address have 64 bits, and a double holds 53 of them");

/* An address is one that C gave to JavaScript: of any other double it is as undefined as in C. */
static inline void *to_pointer(double address) {
    return (void *)(intptr_t)address;
}

static inline double to_address(const void *pointer) {
    return (double)(intptr_t)pointer;
}

/*
 * NaN, what is below 0 and what no size_t holds become the greatest size, which nobody has. Below 2^63 a
 * signed conversion is one instruction.
 */
static inline size_t to_size(double size) {
    return size >= 0 && size < 0x1p63 ? (size_t)(int64_t)size : SIZE_MAX;
}

/* The same for the length of memory that is there: what is no length is 0, and nothing is touched. */
static inline size_t to_length(double length) {
    return length >= 0 && length < 0x1p63 ? (size_t)(int64_t)length : 0;
}

#endif
