/*
 * Following the instructions of unwind information, which make a table of rules for one address. "DWARF
 * Debugging Information Format 4", section 6.4, has them.
 */
#define _GNU_SOURCE
#include "frame-row.h"

#ifdef HAS_UNWINDER

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

/* As deep as compilers nest what they remember; they use one. */
enum { MAX_REMEMBERED = 4 };

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

/* One run of instructions up to an address. */
struct run {
    const struct function_rules *rules;
    uintptr_t address, pc;
    struct row row;
    const struct row *initial;
    struct row remembered[MAX_REMEMBERED];
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
        if (run->remembered_count == MAX_REMEMBERED) return 0;
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

int find_row(const struct function_rules *rules, uintptr_t pc, struct row *row) {
    static const struct row NONE;
    struct row initial;
    struct run run; /* most of it stays as it is: what is remembered */
    run.rules = rules;
    run.pc = pc;
    run.remembered_count = 0;
    run.row = NONE;
    run.initial = &NONE;
    run.address = rules->start;
    if (!follow(&run, rules->common, rules->common_end)) return 0;
    initial = run.row;
    run.initial = &initial;
    if (!follow(&run, rules->own, rules->own_end)) return 0;
    *row = run.row;
    return 1;
}

#else
typedef int frame_instructions_are_for_glibc;
#endif
