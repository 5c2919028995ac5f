/*
 * Sampling of the heap in a launched program: jemalloc's, with call stacks that have JavaScript frames,
 * see unwind.h. jemalloc itself is prepared by MALLOC_CONF.
 *
 * Environment:
 *   OFFHEAP_HEAP_PROFILING=PID.START:SETTINGS  one process, see launched.h, and JavaScript runtimes
 *                                   take call stacks by offheap's unwinder.
 *   OFFHEAP_HEAP_PROFILING=runtimes:SETTINGS   JavaScript runtimes do.
 * Other programs that inherit the variable take no samples: nobody could ask them for a profile.
 * SETTINGS are words, separated by commas:
 *   map                             the runtime writes /tmp/perf-PID.map because of the launch alone: it
 *                                   is removed when the process exits, and what V8 logs besides is left out
 */
#ifndef OFFHEAP_PROFILING_H
#define OFFHEAP_PROFILING_H

/* Before main: NULL, or why a process that is to be profiled cannot be. */
const char *prepare_profiling(void);

/* V8's log is not written, see engine-log.c. */
void leave_out_engine_log(void);

/* ---- code-moment.c ---- */

/* From now on stacks end with how far the runtime's map of its code, at a path that stays, was written. */
void mark_moments(const char *path);
/*
 * jemalloc's experimental.hooks.prof_backtrace: return addresses, the innermost first, and at last, where
 * there is a map, its size and 2^52, which is no address.
 */
void take_marked_backtrace(void **addresses, unsigned *count, unsigned most);

#endif
