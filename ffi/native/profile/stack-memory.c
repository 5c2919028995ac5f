/*
 * Reading a stack, and code, without a fault: see unwind.h.
 */
#define _GNU_SOURCE
#include "unwind.h"

#ifdef HAS_UNWINDER

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* So far from its start a stack is read. */
#define FARTHEST ((uintptr_t)8 << 20)

void begin_stack(struct stack *stack, uintptr_t start) {
    *stack = (struct stack){.start = start, .page = (uintptr_t)sysconf(_SC_PAGESIZE)};
    stack->checked = (start / stack->page + 1) * stack->page;
}

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

/* Whether a word is on the stack where the walk began: all pages up to it are there. */
static int is_on_stack(struct stack *stack, uintptr_t address) {
    if (address < stack->start || address - stack->start > FARTHEST) return 0;
    for (; stack->checked <= address; stack->checked += stack->page) {
        if (!is_readable(stack->checked)) return 0;
    }
    return 1;
}

int copy_memory(uintptr_t address, void *to, size_t size) {
    struct iovec local = {to, size}, remote = {(void *)address, size};
    return syscall(SYS_process_vm_readv, getpid(), &local, 1UL, &remote, 1UL, 0UL) == (long)size;
}

int read_stack(struct stack *stack, uintptr_t address, uintptr_t *word) {
    if (address % sizeof *word != 0) return 0;
    if (is_on_stack(stack, address)) {
        *word = word_at(address);
        return 1;
    }
    /* Of another stack only the kernel may read: another thread may unmap it at any time. */
    uintptr_t at = address - stack->copied_from;
    if (at < stack->copied_size) {
        *word = stack->copied[at / sizeof *word];
        return 1;
    }
    stack->copied_size = copy_memory(address, stack->copied, sizeof stack->copied) ? sizeof stack->copied : 0;
    stack->copied_from = address;
    *word = stack->copied[0];
    return stack->copied_size > 0 || copy_memory(address, word, sizeof *word);
}

#else
typedef int stack_memory_is_for_glibc;
#endif
