/*
 * The walk along a call stack; see unwind.h.
 */
#define _GNU_SOURCE
#include "unwind.h"

#ifdef HAS_UNWINDER

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* So far from its start a stack is read. */
#define FARTHEST ((uintptr_t)8 << 20)
/* As large as a frame of an engine's may be: a chain that jumps farther is no chain. */
#define LARGEST_FRAME ((uintptr_t)1 << 20)

/*
 * The kernel reads the set before it looks at what is to be done with it, which nothing is. Every
 * sandbox lets this call through, as C libraries need it.
 */
static int is_readable(uintptr_t address) {
    enum { NO_SUCH_CHANGE = -1, KERNEL_SET_SIZE = 8 };
    return syscall(SYS_rt_sigprocmask, NO_SUCH_CHANGE, address, NULL, KERNEL_SET_SIZE) != 0 && errno != EFAULT;
}

/* The words of other functions' frames: sanitizers take them for what nobody may read. */
__attribute__((noinline, no_sanitize("address", "thread"))) static uintptr_t word_at(uintptr_t address) {
    return *(const volatile uintptr_t *)address;
}

int read_stack(struct stack *stack, uintptr_t address, uintptr_t *word) {
    if (address % sizeof *word != 0 || address < stack->start || address - stack->start > FARTHEST) return 0;
    /* Page by page: what is on the other side of a guard page is no part of this stack. */
    for (; stack->checked <= address; stack->checked += stack->page) {
        if (!is_readable(stack->checked)) return 0;
    }
    *word = word_at(address);
    return 1;
}

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

/* Follows the frame pointer out of code that no loaded object knows. 0 where it leads nowhere. */
static int leave_by_pointer(struct frame *frame, struct stack *stack) {
    enum { WORD = sizeof(uintptr_t) };
    uintptr_t at = frame->registers[FRAME_POINTER], before, address;
    if (!(frame->known >> FRAME_POINTER & 1)) return 0;
    uintptr_t bottom = frame->registers[STACK_POINTER];
    if (at < bottom || at - bottom > LARGEST_FRAME) return 0;
    if (!read_stack(stack, at, &before) || !read_stack(stack, at + WORD, &address)) return 0;
    frame->pc = address;
    frame->exact = 0;
    frame->known = UINT64_C(1) << FRAME_POINTER | UINT64_C(1) << STACK_POINTER;
    frame->registers[FRAME_POINTER] = before;
    frame->registers[STACK_POINTER] = at + 2 * WORD;
    return 1;
}

/* Goes to the caller; 0 at the outermost frame. */
static int leave(struct frame *frame, struct stack *stack) {
    struct function_rules rules;
    uintptr_t bottom = frame->registers[STACK_POINTER];
    int is_native = find_rules(frame->exact ? frame->pc : frame->pc - 1, &rules);
    int left = is_native ? leave_frame(frame, &rules, stack) : leave_by_pointer(frame, stack);
    if (!left) return 0;
    frame->pc = take_address(frame->pc);
    /* A stack gets shorter with each frame, but for the one that a signal interrupted. */
    return frame->pc != 0 && (frame->exact || frame->registers[STACK_POINTER] > bottom);
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
    struct frame frame = {.exact = 1, .known = KNOWN_REGISTERS};
    int before = errno;
    TAKE_REGISTERS(frame);
    struct stack stack = {.start = frame.registers[STACK_POINTER], .page = (uintptr_t)sysconf(_SC_PAGESIZE)};
    stack.checked = (stack.start / stack.page + 1) * stack.page;
    unsigned found = 0;
    while (found < most && leave(&frame, &stack)) addresses[found++] = (void *)frame.pc;
    *count = found;
    errno = before;
}

#else
typedef int backtrace_is_for_glibc;
#endif
