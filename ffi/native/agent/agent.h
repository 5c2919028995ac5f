/*
 * offheap's agent: a thread in a launched program that gives memory back when the program rests or
 * runs short of it, and answers whoever asks. Linux has it.
 *
 * It starts when the program first makes a thread of its own, never before: what must have one thread
 * (setpriv, unshare, Chromium's zygote) then stays with one. It blocks all signals and allocates
 * nothing from malloc; while it is inside the allocator it holds a lock that fork() waits for, so that
 * no child is made in the middle of a purge. A child made by fork has no agent.
 *
 * Environment:
 *   OFFHEAP_AGENT=PID.START:SETTINGS  one process, see launched.h, and JavaScript runtimes get it.
 *   OFFHEAP_AGENT=runtimes:SETTINGS   JavaScript runtimes do.
 * SETTINGS are NAME=VALUE, separated by commas, all of them optional:
 *   idle=MILLISECONDS                 the rest after which memory is given back; 0 for never
 *   limit=BYTES | limit=NUMBER%       a limit of resident memory that the user set; a percentage is of
 *                                     the tightest limit of the control groups, or of the host's memory
 */
#ifndef OFFHEAP_AGENT_H
#define OFFHEAP_AGENT_H

#ifndef _WIN32

#include <pthread.h>

typedef int (*create_thread_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* Decides whether this process gets an agent: 1 when it waits for the program's first thread. */
int prepare_agent(void);

/*
 * The program has made a thread: starts the agent where one waits, by the C library's own function.
 * 1 when it gives memory back at rest, so that nothing else has to.
 */
int start_agent(create_thread_fn create);

#endif

#endif
