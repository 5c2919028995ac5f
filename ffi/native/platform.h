/*
 * What operating systems do differently, behind names of our own; one header a family of systems
 * has the same definitions:
 *
 *   EXPORT                       before each function that the shim exports
 *   JEMALLOC_PREFIX              what stands before all of jemalloc's names
 *   lock_type, LOCK_FREE, lock(), unlock()
 *   once_type, ONCE_NEW, run_once()
 *   thread_key_type, THREAD_END(), make_thread_key(), thread_value(), set_thread_value()
 *   process_is_ending()          whether other threads may be gone in the middle of their work
 *   open_object(), find_in_object(), find_in_program()
 *   monotonic_nanoseconds()
 *
 * A function that can fail returns 0 when it did not, or NULL when it did.
 */
#ifndef OFFHEAP_PLATFORM_H
#define OFFHEAP_PLATFORM_H

#ifdef _WIN32
#include "platform-windows.h"
#else
#include "platform-posix.h"
#endif

#endif
