/*
 * The walk along a call stack; see unwind.h.
 */
#define _GNU_SOURCE
#include "unwind.h"

#ifdef HAS_UNWINDER

#include <errno.h>

/* A return address without the signature that arm64 may put into its high bits. */
static uintptr_t take_address(uintptr_t address) {
#ifdef __aarch64__
    register uintptr_t link __asm__("x30") = address;
    __asm__("hint #7" : "+r"(link)); /* xpaclri, and nothing where there are no signatures */
    return link;
#else
    return address;
#endif
}

enum { WORD = sizeof(uintptr_t) };

/* Goes on by a saved frame pointer and the return address after it; 0 where that comes after no call. */
static int leave_by_pair(struct frame *frame, struct stack *stack, uintptr_t at, int has_to_call) {
    uintptr_t before, address;
    if (!read_stack(stack, at, &before) || !read_stack(stack, at + WORD, &address)) return 0;
    if (has_to_call && !is_after_call(take_address(address))) return 0;
    frame->pc = address;
    frame->exact = 0;
    frame->known = UINT64_C(1) << FRAME_POINTER | UINT64_C(1) << STACK_POINTER;
    frame->registers[FRAME_POINTER] = before;
    frame->registers[STACK_POINTER] = at + 2 * WORD;
    return 1;
}

/* Follows the frame pointer; 0 where it leads nowhere. */
static int leave_by_pointer(struct frame *frame, struct stack *stack, int has_to_call) {
    uintptr_t at = frame->registers[FRAME_POINTER], bottom = frame->registers[STACK_POINTER];
    if (!(frame->known >> FRAME_POINTER & 1)) return 0;
    if (at < bottom || at - bottom > LARGEST_FRAME) return 0;
    return leave_by_pair(frame, stack, at, has_to_call);
}

/*
 * Leaves a frame without unwind information. Below native code that has some, it may be one without a frame
 * pointer of its own, too. In a loaded object an address has to come after a call then. An engine may have
 * changed it, so that none does: that is the last resort.
 */
static int leave_unknown(struct frame *frame, struct stack *stack, uintptr_t called, int was_native) {
    int is_assembler = was_native && is_in_object(called);
    uintptr_t pair;
    int is_made = was_native && !is_assembler;
    if (is_made && find_saved_pair(frame, stack, &pair) && leave_by_pair(frame, stack, pair, 0)) return 1;
    if (leave_by_pointer(frame, stack, is_assembler)) return 1;
    return is_assembler && (leave_by_search(frame, stack) || leave_by_pointer(frame, stack, 0));
}

struct walk {
    struct frame frame;
    struct stack stack;
    /* Whether the last frame was left by unwind information, and how often that led to another stack. */
    int was_native;
    unsigned switches;
};

/* As often a walk goes on in another stack: out of one for signals, and out of one for a foreign function. */
enum { MAX_SWITCHES = 4 };

/* A stack gets shorter with each frame, but where another one begins. */
static int has_advanced(struct walk *walk, uintptr_t bottom) {
    uintptr_t now = walk->frame.registers[STACK_POINTER];
    if (now > bottom && now - bottom <= LARGEST_FRAME) return 1;
    return walk->was_native && walk->switches++ < MAX_SWITCHES;
}

/* Goes to the caller; 0 at the outermost frame. */
static int leave(struct walk *walk) {
    struct frame *frame = &walk->frame;
    struct function_rules rules;
    uintptr_t bottom = frame->registers[STACK_POINTER], called = frame->exact ? frame->pc : frame->pc - 1;
    int is_native = find_rules(called, &rules);
    int left = is_native ? leave_frame(frame, &rules, &walk->stack)
                         : leave_unknown(frame, &walk->stack, called, walk->was_native);
    walk->was_native = is_native;
    frame->pc = take_address(frame->pc);
    return left && frame->pc != 0 && has_advanced(walk, bottom);
}

/* The registers as they are here, that a called function keeps. */
#ifdef __x86_64__
#define KNOWN_REGISTERS UINT64_C(0xf0c8)
#define TAKE_REGISTERS(frame)                                                                      \
    __asm__ volatile("leaq 0(%%rip), %%rax\n\t"                                                    \
                     "movq %%rax, %0\n\t"                                                          \
                     "movq %%rbx, 24(%1)\n\t"                                                      \
                     "movq %%rbp, 48(%1)\n\t"                                                      \
                     "movq %%rsp, 56(%1)\n\t"                                                      \
                     "movq %%r12, 96(%1)\n\t"                                                      \
                     "movq %%r13, 104(%1)\n\t"                                                     \
                     "movq %%r14, 112(%1)\n\t"                                                     \
                     "movq %%r15, 120(%1)"                                                         \
                     : "=m"((frame).pc)                                                            \
                     : "r"((frame).registers)                                                      \
                     : "rax", "memory")
#else
#define KNOWN_REGISTERS UINT64_C(0xfff80000)
#define TAKE_REGISTERS(frame)                                                                      \
    __asm__ volatile("adr x9, .\n\t"                                                               \
                     "str x9, %0\n\t"                                                              \
                     "str x19, [%1, 152]\n\t"                                                      \
                     "stp x20, x21, [%1, 160]\n\t"                                                 \
                     "stp x22, x23, [%1, 176]\n\t"                                                 \
                     "stp x24, x25, [%1, 192]\n\t"                                                 \
                     "stp x26, x27, [%1, 208]\n\t"                                                 \
                     "stp x28, x29, [%1, 224]\n\t"                                                 \
                     "mov x9, sp\n\t"                                                              \
                     "stp x30, x9, [%1, 240]"                                                      \
                     : "=m"((frame).pc)                                                            \
                     : "r"((frame).registers)                                                      \
                     : "x9", "memory")
#endif

void take_backtrace(void **addresses, unsigned *count, unsigned most) {
    int before = errno;
    struct walk walk = {.frame = {.exact = 1, .known = KNOWN_REGISTERS}};
    TAKE_REGISTERS(walk.frame);
    begin_stack(&walk.stack, walk.frame.registers[STACK_POINTER]);
    unsigned found = 0;
    while (found < most && leave(&walk)) addresses[found++] = (void *)walk.frame.pc;
    *count = found;
    errno = before;
}

#else
typedef int backtrace_is_for_glibc;
#endif
