/*
 * What a launched process does once, before its own code runs.
 *
 * Children inherit the variables of a launch. A variable that is meant for one process begins with
 * PID.START: the process's number, and when the kernel started it, as /proc/PID/stat has it. The
 * number alone would also be that of a later process, or of a child in a namespace of its own: in a
 * container the launched process is often number 1, and so is the zygote of Chromium's sandbox.
 */
#ifndef OFFHEAP_LAUNCHED_H
#define OFFHEAP_LAUNCHED_H

/*
 * The text behind "PID.START:" in a variable when both are this process's, else NULL. Where the
 * launcher could not tell the start, "PID:" stands there, and the number decides.
 */
const char *meant_for_this_process(const char *variable);

/* Decides whether this process gets jemalloc's background thread, see background.c. */
void prepare_background(void);

#endif
