/*
 * The rules of a frame: what the instructions of its unwind information come to for one address.
 */
#ifndef OFFHEAP_FRAME_ROW_H
#define OFFHEAP_FRAME_ROW_H

#include "unwind.h"

#ifdef HAS_UNWINDER

/* The registers that a caller finds as they were, and those of the rules below that are kept. */
#ifdef __x86_64__
static const uint8_t TRACKED[] = {3, 6, 7, 12, 13, 14, 15, 16};
#else
static const uint8_t TRACKED[] = {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
#endif
enum { RULE_COUNT = sizeof TRACKED };

enum how { UNCHANGED, LOST, AT_OFFSET, OFFSET_ITSELF, AT_EXPRESSION, EXPRESSION_ITSELF, IN_REGISTER };

struct rule {
    enum how how;
    union {
        int64_t offset;
        const uint8_t *expression;
        uint64_t other;
    };
};

/* The rules at one address; the frame's base is where the caller's stack ended before the call. */
struct row {
    uint64_t base_register;
    int64_t base_offset;
    const uint8_t *base_expression;
    struct rule rules[RULE_COUNT];
};

/* ---- frame-instructions.c ---- */

/* Works out the rules for an address in the function. 0 for an instruction that is not known. */
int find_row(const struct function_rules *rules, uintptr_t pc, struct row *row);

#endif

#endif
