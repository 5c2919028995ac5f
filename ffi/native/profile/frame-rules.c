/*
 * Leaving a frame by its unwind information: its rules say where the caller's registers are. "DWARF
 * Debugging Information Format 4", section 2.5, has the expressions.
 */
#define _GNU_SOURCE
#include "frame-row.h"

#ifdef HAS_UNWINDER

/* ---- Expressions ---- */

enum { EXPRESSION_DEPTH = 16 };

/* Works out an expression for addresses: those that compilers and C libraries write, without branches. */
static int evaluate(const uint8_t *at, const struct frame *frame, struct stack *stack, const uintptr_t *first,
                    uintptr_t *result) {
    uintptr_t values[EXPRESSION_DEPTH];
    unsigned count = 0;
    uint64_t length = read_unsigned_leb(&at);
    const uint8_t *end = at + length;
    if (first != NULL) values[count++] = *first;
    while (at < end) {
        uint8_t code = *at++;
        uintptr_t *top = count > 0 ? &values[count - 1] : NULL;
        if (code == 0x06 || code == 0x23) { /* the word at an address; plus a constant */
            if (top == NULL) return 0;
            if (code == 0x23) *top += (uintptr_t)read_unsigned_leb(&at);
            else if (!read_stack(stack, *top, top)) return 0;
            continue;
        }
        if (code == 0x1a || code == 0x1c || code == 0x22) { /* and, minus, plus */
            if (count < 2) return 0;
            uintptr_t right = values[--count], *left = &values[count - 1];
            *left = code == 0x1a ? *left & right : code == 0x1c ? *left - right : *left + right;
            continue;
        }
        if (count == EXPRESSION_DEPTH) return 0;
        if (code >= 0x30 && code <= 0x4f) { /* a small constant */
            values[count++] = code - 0x30u;
        } else if (code >= 0x70 && code <= 0x8f) { /* a register and an offset */
            unsigned number = code - 0x70u;
            if (number >= REGISTER_COUNT || !(frame->known >> number & 1)) return 0;
            values[count++] = frame->registers[number] + (uintptr_t)read_signed_leb(&at);
        } else if (code == 0x08) {
            values[count++] = (uintptr_t)read_fixed(&at, 1);
        } else if (code == 0x09) {
            values[count++] = (uintptr_t)(int8_t)read_fixed(&at, 1);
        } else if (code == 0x10) {
            values[count++] = (uintptr_t)read_unsigned_leb(&at);
        } else if (code == 0x11) {
            values[count++] = (uintptr_t)read_signed_leb(&at);
        } else {
            return 0;
        }
    }
    if (count == 0) return 0;
    *result = values[count - 1];
    return 1;
}

/* ---- Leaving ---- */

static int find_base(const struct row *row, const struct frame *frame, struct stack *stack, uintptr_t *base) {
    if (row->base_expression != NULL) return evaluate(row->base_expression, frame, stack, NULL, base);
    if (row->base_register >= REGISTER_COUNT || !(frame->known >> row->base_register & 1)) return 0;
    *base = frame->registers[row->base_register] + (uintptr_t)row->base_offset;
    return 1;
}

/* A register of the caller's; 0 when it is lost. */
static int find_register(const struct rule *rule, unsigned number, const struct frame *frame, uintptr_t base,
                         struct stack *stack, uintptr_t *value) {
    uintptr_t place = base + (uintptr_t)rule->offset;
    switch (rule->how) {
    case AT_OFFSET: return read_stack(stack, place, value);
    case OFFSET_ITSELF: *value = place; return 1;
    case AT_EXPRESSION:
        return evaluate(rule->expression, frame, stack, &base, &place) && read_stack(stack, place, value);
    case EXPRESSION_ITSELF: return evaluate(rule->expression, frame, stack, &base, value);
    case IN_REGISTER:
        if (rule->other >= REGISTER_COUNT) return 0;
        number = (unsigned)rule->other;
        break;
    case LOST: return 0;
    case UNCHANGED: break;
    }
    *value = frame->registers[number];
    return (int)(frame->known >> number & 1);
}

int leave_frame(struct frame *frame, const struct function_rules *rules, struct stack *stack) {
    struct row row;
    uintptr_t pc = frame->exact ? frame->pc : frame->pc - 1;
    struct frame caller = {.exact = rules->is_signal};
    uintptr_t base;
    if (!find_row(rules, pc, &row) || !find_base(&row, frame, stack, &base)) return 0;
    /* The caller's stack ends at the base, where no rule says otherwise. */
    caller.registers[STACK_POINTER] = base;
    caller.known = UINT64_C(1) << STACK_POINTER;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        unsigned number = TRACKED[i];
        const struct rule *rule = &row.rules[i];
        if (number == STACK_POINTER && rule->how == UNCHANGED) continue;
        if (!find_register(rule, number, frame, base, stack, &caller.registers[number])) continue;
        caller.known |= UINT64_C(1) << number;
    }
    if (rules->return_column >= REGISTER_COUNT || !(caller.known >> rules->return_column & 1)) return 0;
    caller.pc = caller.registers[rules->return_column];
    /* The column is no register on x64, and on arm64 one that the caller has changed. */
    caller.known &= ~(UINT64_C(1) << RETURN_COLUMN);
    *frame = caller;
    return 1;
}

#else
typedef int frame_rules_are_for_glibc;
#endif
