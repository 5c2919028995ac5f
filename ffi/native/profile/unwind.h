/*
 * Call stacks for jemalloc's sampling, also through machine code that was made at run time. Linux with
 * glibc has it, on x64 and arm64.
 *
 * A frame of a loaded object is left by its unwind information (.eh_frame), as a debugger does. Code of
 * a JavaScript engine has none: there the chain of frame pointers is followed, until it comes back to a
 * loaded object. Everything is read by functions of this folder: nothing is allocated and no lock is
 * taken (before glibc 2.35 the dynamic linker's, which a thread may take twice), so that a sample may be
 * taken anywhere in a program, also inside the dynamic linker and inside what finds a thread's stack.
 * No word of a stack is read before its page is known to be readable.
 */
#ifndef OFFHEAP_UNWIND_H
#define OFFHEAP_UNWIND_H

#include <stddef.h>
#include <stdint.h>

#if defined(__linux__) && defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__))
#define HAS_UNWINDER 1

/* Registers by the numbers that unwind information has for them. */
#ifdef __x86_64__
enum { FRAME_POINTER = 6, STACK_POINTER = 7, RETURN_COLUMN = 16, REGISTER_COUNT = 17 };
#else
enum { FRAME_POINTER = 29, STACK_POINTER = 31, RETURN_COLUMN = 30, REGISTER_COUNT = 32 };
#endif

/* What is known of a frame: where it goes on, and its registers. */
struct frame {
    uintptr_t pc;
    /* Whether the instruction at `pc` is the next one, and not the one after a call. */
    int exact;
    /* A bit for each register whose value is known. */
    uint64_t known;
    uintptr_t registers[REGISTER_COUNT];
};

/* As large as a frame of an engine's may be: a chain that jumps farther is no chain. */
#define LARGEST_FRAME ((uintptr_t)1 << 20)

/* ---- stack-memory.c ---- */

/* A stack from the walk's start on, up to where it is known to be readable; and words of another one. */
struct stack {
    uintptr_t start, checked, page;
    uintptr_t copied_from, copied_size, copied[32];
};

void begin_stack(struct stack *stack, uintptr_t start);
/*
 * Reads a word of the stack, or of another one to which unwind information leads (koffi, coroutines and
 * signals have their own); 0 where it cannot be read.
 */
int read_stack(struct stack *stack, uintptr_t address, uintptr_t *word);
/* Has the kernel copy memory that may not be there; 0 when it does not. */
int copy_memory(uintptr_t address, void *to, size_t size);

/* ---- frame-tables.c ---- */

/* What unwind information says of a function: instructions for a table of rules, see frame-instructions.c. */
struct function_rules {
    uintptr_t start;
    uint64_t code_step;
    int64_t data_step;
    uint64_t return_column;
    const uint8_t *common, *common_end, *own, *own_end;
    /* Whether entries have data of their own before their instructions. */
    int has_data;
    /* Whether the frame is the kernel's for a signal: what is below was interrupted anywhere. */
    int is_signal;
};

/* Before the first walk. */
void find_object_finder(void);
/* Whether an address is in a loaded object. */
int is_in_object(uintptr_t pc);
/* Finds what is known of the function at an address; 0 where no loaded object has it. */
int find_rules(uintptr_t pc, struct function_rules *rules);

/* ---- frame-entries.c ---- */

/* Reads an entry; 0 where it is not for the address. */
int read_rules(const uint8_t *entry, uintptr_t pc, struct function_rules *rules);

/* Read a number and go on after it: one of so many bytes, and two of variable length. */
uint64_t read_fixed(const uint8_t **at, size_t size);
uint64_t read_unsigned_leb(const uint8_t **at);
int64_t read_signed_leb(const uint8_t **at);

/* ---- frame-rules.c ---- */

/* Leaves a frame by its rules. 1; or 0 at the outermost frame, and where the rules cannot be followed. */
int leave_frame(struct frame *frame, const struct function_rules *rules, struct stack *stack);

/* ---- frame-search.c ---- */

/* Whether the instruction before an address is a call. */
int is_after_call(uintptr_t address);
/*
 * Where a function that returns by its next instructions has the frame pointer that it saved, and its return
 * address after it. 0 where more than that comes first.
 */
int find_saved_pair(const struct frame *frame, struct stack *stack, uintptr_t *pair);
/* Leaves a frame by the next word of the stack that is a return address. 0 where there is none near. */
int leave_by_search(struct frame *frame, struct stack *stack);

/* ---- backtrace.c ---- */

/* jemalloc's experimental.hooks.prof_backtrace: return addresses, the innermost first. */
void take_backtrace(void **addresses, unsigned *count, unsigned most);

#endif

#endif
