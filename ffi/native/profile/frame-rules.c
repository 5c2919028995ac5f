/*
 * Leaving a frame by its unwind information: the instructions make a table of rules for one address,
 * which say where the caller's registers are. "DWARF Debugging Information Format 4", section 6.4, has
 * the instructions, and section 2.5 the expressions.
 */
#define _GNU_SOURCE
#include "unwind.h"

#ifdef HAS_UNWINDER

#include <string.h>

/* Instructions; the first three have an operand in their low six bits. */
enum {
    ADVANCE = 0x40,
    OFFSET = 0x80,
    RESTORE = 0xc0,
    NOTHING = 0x00,
    SET_ADDRESS = 0x01,
    ADVANCE_1 = 0x02,
    ADVANCE_2 = 0x03,
    ADVANCE_4 = 0x04,
    OFFSET_LONG = 0x05,
    RESTORE_LONG = 0x06,
    UNDEFINED = 0x07,
    SAME_VALUE = 0x08,
    REGISTER = 0x09,
    REMEMBER = 0x0a,
    RECALL = 0x0b,
    BASE = 0x0c,
    BASE_REGISTER = 0x0d,
    BASE_OFFSET = 0x0e,
    BASE_EXPRESSION = 0x0f,
    EXPRESSION = 0x10,
    OFFSET_SIGNED = 0x11,
    BASE_SIGNED = 0x12,
    BASE_OFFSET_SIGNED = 0x13,
    VALUE_OFFSET = 0x14,
    VALUE_OFFSET_SIGNED = 0x15,
    VALUE_EXPRESSION = 0x16,
    /* On arm64: the return address is signed, which take_address() undoes in any case. */
    TOGGLE_SIGNED = 0x2d,
    ARGUMENTS_SIZE = 0x2e,
};

/* The registers that a caller finds as they were, and those of the rules below that are kept. */
#ifdef __x86_64__
static const uint8_t TRACKED[] = {3, 6, 7, 12, 13, 14, 15, 16};
#else
static const uint8_t TRACKED[] = {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
#endif
enum { RULE_COUNT = sizeof TRACKED };

/* As deep as compilers nest what they remember; they use one. */
enum { MOST_REMEMBERED = 4 };

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

static struct rule *rule_of(struct row *row, uint64_t number) {
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (TRACKED[i] == number) return &row->rules[i];
    }
    return NULL;
}

static void set_rule(struct row *row, uint64_t number, struct rule rule) {
    struct rule *found = rule_of(row, number);
    if (found != NULL) *found = rule;
}

static void restore_rule(struct row *row, const struct row *initial, uint64_t number) {
    struct rule *found = rule_of(row, number);
    if (found != NULL) *found = initial->rules[found - row->rules];
}

/* Where an expression begins, with its length before it; `at` goes on after it. */
static const uint8_t *pass_expression(const uint8_t **at) {
    const uint8_t *start = *at;
    uint64_t length = read_unsigned_leb(at);
    *at += length;
    return start;
}

static uint64_t read_fixed(const uint8_t **at, size_t size) {
    uint64_t value = 0;
    memcpy(&value, *at, size);
    *at += size;
    return value;
}

/* ---- Instructions ---- */

/* One run of instructions up to an address. */
struct run {
    const struct function_rules *rules;
    uintptr_t address, pc;
    struct row row;
    const struct row *initial;
    struct row remembered[MOST_REMEMBERED];
    unsigned remembered_count;
};

/* How an instruction says where a register is: its operands' encoding, and what they mean. */
static int64_t scaled(const struct run *run, const uint8_t **at, int is_signed) {
    if (is_signed) return read_signed_leb(at) * run->rules->data_step;
    return (int64_t)read_unsigned_leb(at) * run->rules->data_step;
}

static int define_base(struct run *run, uint8_t code, const uint8_t **at) {
    struct row *row = &run->row;
    if (code == BASE_EXPRESSION) {
        row->base_expression = pass_expression(at);
        return 1;
    }
    if (code == BASE || code == BASE_SIGNED || code == BASE_REGISTER) {
        row->base_register = read_unsigned_leb(at);
        row->base_expression = NULL;
    }
    if (code == BASE || code == BASE_OFFSET) row->base_offset = (int64_t)read_unsigned_leb(at);
    if (code == BASE_SIGNED || code == BASE_OFFSET_SIGNED) row->base_offset = scaled(run, at, 1);
    return 1;
}

static int define_register(struct run *run, uint8_t code, const uint8_t **at) {
    struct rule rule = {.how = UNCHANGED};
    uint64_t number = read_unsigned_leb(at);
    if (code == OFFSET_LONG || code == OFFSET_SIGNED) rule.how = AT_OFFSET;
    if (code == VALUE_OFFSET || code == VALUE_OFFSET_SIGNED) rule.how = OFFSET_ITSELF;
    if (rule.how != UNCHANGED) {
        rule.offset = scaled(run, at, code == OFFSET_SIGNED || code == VALUE_OFFSET_SIGNED);
    } else if (code == EXPRESSION || code == VALUE_EXPRESSION) {
        rule.how = code == EXPRESSION ? AT_EXPRESSION : EXPRESSION_ITSELF;
        rule.expression = pass_expression(at);
    } else if (code == REGISTER) {
        rule.how = IN_REGISTER;
        rule.other = read_unsigned_leb(at);
    } else if (code == UNDEFINED) {
        rule.how = LOST;
    } else if (code == RESTORE_LONG) {
        restore_rule(&run->row, run->initial, number);
        return 1;
    }
    set_rule(&run->row, number, rule);
    return 1;
}

static int follow_other(struct run *run, uint8_t code, const uint8_t **at) {
    switch (code) {
    case NOTHING:
    case TOGGLE_SIGNED: return 1;
    case ARGUMENTS_SIZE: (void)read_unsigned_leb(at); return 1;
    case ADVANCE_1: run->address += read_fixed(at, 1) * run->rules->code_step; return 1;
    case ADVANCE_2: run->address += read_fixed(at, 2) * run->rules->code_step; return 1;
    case ADVANCE_4: run->address += read_fixed(at, 4) * run->rules->code_step; return 1;
    case REMEMBER:
        if (run->remembered_count == MOST_REMEMBERED) return 0;
        run->remembered[run->remembered_count++] = run->row;
        return 1;
    case RECALL:
        if (run->remembered_count == 0) return 0;
        run->row = run->remembered[--run->remembered_count];
        return 1;
    case BASE:
    case BASE_REGISTER:
    case BASE_OFFSET:
    case BASE_EXPRESSION:
    case BASE_SIGNED:
    case BASE_OFFSET_SIGNED: return define_base(run, code, at);
    case OFFSET_LONG:
    case RESTORE_LONG:
    case UNDEFINED:
    case SAME_VALUE:
    case REGISTER:
    case EXPRESSION:
    case OFFSET_SIGNED:
    case VALUE_OFFSET:
    case VALUE_OFFSET_SIGNED:
    case VALUE_EXPRESSION: return define_register(run, code, at);
    default: return 0; /* SET_ADDRESS too: no compiler writes it */
    }
}

/* Follows instructions until they are for later addresses. 0 for one that is not known. */
static int follow(struct run *run, const uint8_t *at, const uint8_t *end) {
    while (at < end && run->address <= run->pc) {
        uint8_t code = *at++, low = code & 0x3f;
        switch (code & 0xc0) {
        case ADVANCE: run->address += low * run->rules->code_step; break;
        case OFFSET: set_rule(&run->row, low, (struct rule){AT_OFFSET, {scaled(run, &at, 0)}}); break;
        case RESTORE: restore_rule(&run->row, run->initial, low); break;
        default:
            if (!follow_other(run, code, &at)) return 0;
        }
    }
    return 1;
}

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

static int find_row(struct run *run) {
    static const struct row NONE;
    struct row initial;
    run->row = NONE;
    run->initial = &NONE;
    run->address = run->rules->start;
    if (!follow(run, run->rules->common, run->rules->common_end)) return 0;
    initial = run->row;
    run->initial = &initial;
    int followed = follow(run, run->rules->own, run->rules->own_end);
    run->initial = NULL;
    return followed;
}

int leave_frame(struct frame *frame, const struct function_rules *rules, struct stack *stack) {
    struct run run; /* most of it stays as it is: what is remembered */
    run.rules = rules;
    run.pc = frame->exact ? frame->pc : frame->pc - 1;
    run.remembered_count = 0;
    struct frame caller = {.exact = rules->is_signal};
    uintptr_t base;
    if (!find_row(&run) || !find_base(&run.row, frame, stack, &base)) return 0;
    /* The caller's stack ends at the base, where no rule says otherwise. */
    caller.registers[STACK_POINTER] = base;
    caller.known = UINT64_C(1) << STACK_POINTER;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        unsigned number = TRACKED[i];
        const struct rule *rule = &run.row.rules[i];
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
