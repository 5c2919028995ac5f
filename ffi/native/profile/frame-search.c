/*
 * Functions that keep no frame as others do, and say nothing of it: what calls C for a foreign function
 * interface is written in assembler, of which some builds leave out the unwind information, or made at run
 * time, as by node:ffi, where it saves the frame pointer and sets none.
 */
#define _GNU_SOURCE
#include "unwind.h"

#ifdef HAS_UNWINDER

#include <string.h>

/* The pair is within as many words: as many arguments are kept below it. */
enum { NEAR = 10 };

/* Whether the frame pointer may be saved near: reading code takes far longer than looking for that. */
static int is_pointer_near(const struct frame *frame, struct stack *stack) {
    uintptr_t bottom = frame->registers[STACK_POINTER], word;
    for (unsigned i = 0; i < NEAR && read_stack(stack, bottom + i * sizeof word, &word); i++) {
        if (word == frame->registers[FRAME_POINTER]) return 1;
    }
    return 0;
}

/* As many words are looked at: such functions have arguments on the stack, and little else. */
enum { SEARCHED = 24 };

#ifdef __x86_64__

enum { LONGEST_CALL = 7 };

/* What may follow the 0xff of a call: how long the instruction is from there on, or 0 for another one. */
static unsigned call_length(const uint8_t *at) {
    uint8_t mode = at[0] >> 6, kind = at[0] >> 3 & 7, base = at[0] & 7;
    if (kind != 2) return 0;
    if (mode == 3) return 2;
    unsigned length = base == 4 ? 3 : 2; /* with a byte for an index */
    if (mode == 1) return length + 1;
    if (mode == 2 || (mode == 0 && base == 5)) return length + 4;
    return length;
}

int is_after_call(uintptr_t address) {
    uint8_t code[LONGEST_CALL + 1] = {0};
    if (address < LONGEST_CALL || !copy_memory(address - LONGEST_CALL, code, LONGEST_CALL)) return 0;
    if (code[LONGEST_CALL - 5] == 0xe8) return 1;
    for (unsigned length = 2; length <= LONGEST_CALL; length++) {
        const uint8_t *at = &code[LONGEST_CALL - length];
        if (at[0] == 0xff && call_length(at + 1) == length) return 1;
    }
    return 0;
}

/* add rsp, of 4 bytes or 1; pop rbp; and, where the result is a small number, movzx or movsx; ret. */
int find_saved_pair(const struct frame *frame, struct stack *stack, uintptr_t *pair) {
    uint8_t code[16], *at = code;
    int32_t skipped = 0;
    if (!is_pointer_near(frame, stack) || !copy_memory(frame->pc, code, sizeof code)) return 0;
    if (at[0] == 0x48 && at[1] == 0x81 && at[2] == 0xc4) {
        memcpy(&skipped, at + 3, sizeof skipped);
        at += 7;
    } else if (at[0] == 0x48 && at[1] == 0x83 && at[2] == 0xc4) {
        skipped = (int8_t)at[3];
        at += 4;
    }
    if (skipped < 0 || *at++ != 0x5d) return 0;
    if (at[0] == 0x40 && at[1] == 0x0f && (at[2] & 0xf6) == 0xb6) at += 4;
    *pair = frame->registers[STACK_POINTER] + (uintptr_t)skipped;
    return *at == 0xc3;
}

#else

/* add sp, of no more than 4095; ldp x29, x30, [sp], 16. */
int find_saved_pair(const struct frame *frame, struct stack *stack, uintptr_t *pair) {
    uint32_t code[2];
    if (frame->pc % sizeof *code != 0 || !is_pointer_near(frame, stack)) return 0;
    if (!copy_memory(frame->pc, code, sizeof code)) return 0;
    int is_add = (code[0] & 0xffc003ff) == 0x910003ff;
    *pair = frame->registers[STACK_POINTER] + (is_add ? code[0] >> 10 & 0xfff : 0);
    return code[is_add] == 0xa8c17bfd;
}

int is_after_call(uintptr_t address) {
    uint32_t code;
    if (address % sizeof code != 0 || !copy_memory(address - sizeof code, &code, sizeof code)) return 0;
    return (code & 0xfc000000) == 0x94000000 || (code & 0xfefff800) == 0xd63f0000 ||
           (code & 0xfefff800) == 0xd63f0800;
}

#endif

/*
 * The first return address from a place on; `with_pointer` has a saved frame pointer beside it, as most
 * have: one that is left of an earlier call has seldom both.
 */
static int search(struct frame *frame, struct stack *stack, int with_pointer) {
    enum { WORD = sizeof(uintptr_t) };
    uintptr_t bottom = frame->registers[STACK_POINTER], before = 0;
    for (unsigned i = 0; i < SEARCHED; i++) {
        uintptr_t place = bottom + i * WORD, word;
        if (!read_stack(stack, place, &word)) return 0;
        int has_pointer = before > place && before - place <= LARGEST_FRAME;
        if (has_pointer >= with_pointer && is_in_object(word) && is_after_call(word)) {
            frame->pc = word;
            frame->exact = 0;
            frame->known = UINT64_C(1) << STACK_POINTER | (uint64_t)has_pointer << FRAME_POINTER;
            frame->registers[STACK_POINTER] = place + WORD;
            frame->registers[FRAME_POINTER] = before;
            return 1;
        }
        before = word;
    }
    return 0;
}

int leave_by_search(struct frame *frame, struct stack *stack) {
    return search(frame, stack, 1) || search(frame, stack, 0);
}

#else
typedef int frame_search_is_for_glibc;
#endif
