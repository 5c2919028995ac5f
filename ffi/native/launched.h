/*
 * What a launched process does once, before its main.
 *
 * Children inherit the variables of a launch. A variable that is meant for one process begins with
 * PID.START: the process ID, and when the kernel started it, as /proc/PID/stat has it. The
 * number alone would also be that of a later process, or of a child in a namespace of its own: in a
 * container the launched process is often number 1, and so is the zygote of Chromium's sandbox.
 *
 * What starts the process may not know its start, or not even its ID: a shell writes "PID:", and a
 * container's or a unit's file "*:", which is the first process that finds it. That one names itself.
 */
#ifndef OFFHEAP_LAUNCHED_H
#define OFFHEAP_LAUNCHED_H

#define FIRST_PROCESS '*'

/* The variable that the dynamic linker preloads by. */
#ifdef __APPLE__
#define PRELOAD_VARIABLE "DYLD_INSERT_LIBRARIES"
#else
#define PRELOAD_VARIABLE "LD_PRELOAD"
#endif

/* The status of a process that was to run under an allocator and does not. */
#define REFUSED 125

/*
 * The text after "PID.START:" in a variable when both are this process's, else NULL. After "PID:"
 * the number decides, as where the system does not report a start; after "*:" it is any process.
 */
const char *meant_for_this_process(const char *variable);

/*
 * Sets a variable of the environment, or removes it where the value is NULL. Before main only: the
 * program may have functions of its own for that, as bash has, whose variables do not exist yet.
 */
void set_variable(const char *name, const char *value);

/*
 * Writes "PID.START:" before the text of a variable that is meant for this process: what it executes
 * in its own place finds it again, and its children do not.
 */
void name_this_process(const char *variable);

/* Whether "PID.START", or "PID" alone, names this process. */
int is_this_process(const char *identity);

/*
 * Where a variable is meant for this process, what it becomes must keep that variable and the preload,
 * see become.c; until its successors are free.
 */
void bind_successors(const char *variable);
void free_successors(void);

/* Decides what this process gets when it makes its first thread, see background.c. */
void prepare_threads(void);

/* Whether this program is a JavaScript runtime, by its file's name. */
int is_runtime(void);

#endif
